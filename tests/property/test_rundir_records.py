"""Records survive being written, cut off and read again: a kill loses at most the last line."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.errors import DoorbusterError
from doorbuster.journal import JournalEvent
from doorbuster.operations import OPERATIONS, Attempt, OperationEvent
from doorbuster.rundir import read_lines, read_records
from doorbuster.series import OperationSecond

moments = st.floats(-1e6, 1e9, allow_nan=False, allow_infinity=False)
names = st.text(max_size=12)
maybe_names = st.none() | names
counts = st.integers(0, 2**53)
outcomes = st.sampled_from(["ok", "fail", "info"])

attempts = st.builds(
    Attempt,
    outcome=outcomes,
    ended_s=moments,
    sent_s=st.none() | moments,
    reason=maybe_names,
    status=st.none() | st.integers(100, 599),
    order_id=maybe_names,
)
operations = st.builds(
    OperationEvent,
    type=st.sampled_from(["invoke", "ok", "fail", "info", "read"]),
    id=names,
    op=st.sampled_from(OPERATIONS),
    at_s=moments,
    due_s=st.none() | moments,
    arrival=st.none() | counts,
    user_ref=maybe_names,
    client_ref=maybe_names,
    sku=maybe_names,
    amount=st.none() | counts,
    attempts=st.lists(attempts, max_size=3).map(tuple),
    available=st.none() | st.integers(-5, 5),
)
seconds = st.builds(
    OperationSecond, second=st.integers(-10, 10_000), op=names, due=counts, info=counts
)
events = st.builds(
    JournalEvent,
    kind=st.sampled_from(["run", "fault", "note"]),
    edge=st.sampled_from(["begin", "end", "point"]),
    name=names,
    wall=names,
    monotonic_s=moments,
    detail=st.dictionaries(names, st.none() | st.booleans() | names | moments, max_size=3),
)
files = st.one_of(
    *(
        st.tuples(st.just(kind), st.lists(records, min_size=1, max_size=6))
        for kind, records in (
            (OperationEvent, operations),
            (OperationSecond, seconds),
            (JournalEvent, events),
        )
    )
)
File = tuple[type[msgspec.Struct], list[msgspec.Struct]]


def text_of(rows: list[msgspec.Struct]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def read(kind: type[msgspec.Struct], content: bytes) -> list[msgspec.Struct]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.ndjson"
        path.write_bytes(content)
        return list(read_records(path, kind))


@given(files)
def test_reading_what_was_written_gives_the_same(file: File) -> None:
    kind, rows = file
    assert read(kind, text_of(rows)) == rows


@given(files, st.data())
def test_a_cut_loses_at_most_the_line_that_it_is_in(file: File, data: st.DataObject) -> None:
    kind, rows = file
    content = text_of(rows)
    kept = content[: data.draw(st.integers(0, len(content)))]
    assert read(kind, kept) == rows[: kept.count(b"\n")]


@given(files, st.data())
def test_a_cut_is_counted(file: File, data: st.DataObject) -> None:
    content = text_of(file[1])
    kept = content[: data.draw(st.integers(0, len(content)))]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.ndjson"
        path.write_bytes(kept)
        lines = read_lines(path)
    assert lines.cut == (not kept.endswith(b"\n") and kept != b"")
    assert sum(len(line) + 1 for line in lines.complete) <= len(kept)


@given(files, st.sampled_from([b"", b"{", b"[]", b'"x"', b"{}", b"\x00"]), st.data())
def test_a_bad_line_amid_good_ones_is_named(file: File, bad: bytes, data: st.DataObject) -> None:
    kind, rows = file
    position = data.draw(st.integers(0, len(rows) - 1))
    content = text_of(rows[:position]) + bad + b"\n" + text_of(rows[position:])
    with pytest.raises(DoorbusterError, match=rf"rows\.ndjson:{position + 1}: "):
        read(kind, content)
