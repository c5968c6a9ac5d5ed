"""The doctor's judgements; that each fact is looked up at all is for the command's own test."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from doorbuster.cli import doctor as command
from doorbuster.environment import environment
from doorbuster.errors import MissingPrerequisite
from doorbuster.stack import doctor
from doorbuster.stack.doctor import Finding

GIB = 1024**3
GLIBC = ("glibc", "2.36")

JUDGED: dict[str, tuple[Callable[[], Finding], str]] = {
    "a good python": (lambda: doctor.python((3, 12)), "ok"),
    "an old python": (lambda: doctor.python((3, 10)), "lacks"),
    "a python to come": (lambda: doctor.python((3, 15)), "note"),
    "linux": (lambda: doctor.system("Linux", "x86_64", GLIBC), "ok"),
    "an old glibc": (lambda: doctor.system("Linux", "x86_64", ("glibc", "2.17")), "lacks"),
    "musl": (lambda: doctor.system("Linux", "x86_64", ("", "")), "lacks"),
    "another machine": (lambda: doctor.system("Linux", "aarch64", GLIBC), "lacks"),
    "macos": (lambda: doctor.system("Darwin", "arm64", ("", "")), "note"),
    "two cores": (lambda: doctor.cores(2, 0.5), "ok"),
    "one core": (lambda: doctor.cores(1, 0.1), "note"),
    "busy cores": (lambda: doctor.cores(4, 4.5), "note"),
    "much memory": (lambda: doctor.memory(3 * GIB), "ok"),
    "some memory": (lambda: doctor.memory(GIB), "note"),
    "little memory": (lambda: doctor.memory(GIB // 4), "lacks"),
}


@pytest.mark.parametrize("case", JUDGED)
def test_a_fact_is_judged(case: str) -> None:
    finding, state = JUDGED[case]
    assert finding().state == state


def test_a_system_that_knows_no_affinity_has_all_its_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3}, raising=False)
    assert environment(proxy="one")["host"]["cores"] == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert environment(proxy="one")["host"]["cores"] == 12
    findings = {finding.name: finding for finding in doctor.examine(lambda: "one")}
    assert findings["cores"].text.startswith("12, ")


def missing() -> str:
    raise MissingPrerequisite("no such thing: install it")


def test_what_is_missing_is_told_and_stops_only_where_it_is_needed() -> None:
    text = "no such thing: install it"
    assert doctor.asked("it", missing) == Finding("it", "lacks", text)
    assert doctor.asked("it", missing, needed=False) == Finding("it", "note", text)
    assert doctor.asked("it", lambda: "1.0") == Finding("it", "ok", "1.0")


def test_a_program_says_its_version_or_why_not(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(
        "#!/bin/sh\n[ $1 = -v ] && echo one && echo two && exit\necho broken >&2\nexit 1\n"
    )
    program.chmod(0o755)
    assert doctor.version_of(program, "-v") == "one"
    with pytest.raises(MissingPrerequisite, match="-x failed: broken"):
        doctor.version_of(program, "-x")
    with pytest.raises(MissingPrerequisite, match="absent failed"):
        doctor.version_of(tmp_path / "absent")


def test_a_lacking_machine_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Finding("Python", "ok", "3.12"), Finding("Docker", "note", "none")]
    monkeypatch.setattr(command, "examine", lambda proxy: iter(found))
    assert command.doctor() == 0
    found.append(Finding("memory", "lacks", "0.1 GiB free"))
    assert command.doctor() == 2
    assert "cannot run here: see memory" in capsys.readouterr().out


def test_a_shared_proxy_that_does_not_answer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOXIPROXY_URL", "http://127.0.0.1:9")
    with pytest.raises(MissingPrerequisite, match=r"no Toxiproxy at http://127\.0\.0\.1:9"):
        command.proxy_here()


def test_this_machine_is_looked_at_whole() -> None:
    findings = {finding.name: finding for finding in doctor.examine(lambda: "one")}
    assert len(findings) == 14
    assert "PostgreSQL" in findings["Postgres"].text
    assert findings["proxy"] == Finding("proxy", "ok", "one")
    assert "late (p99)" in findings["time"].text
