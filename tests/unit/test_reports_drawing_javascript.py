"""What draws charts is bundled once, and kept only where that can be trusted."""

from pathlib import Path

import pytest
import vl_convert

from reports.pages.drawing_javascript import drawing_javascript


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the bundler, which here takes no time."""
    asked: list[str] = []

    def bundle(snippet: str) -> str:
        asked.append(snippet)
        return "draw('</script><!-- é -->')"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    return asked


def anew() -> str:
    """Return it as another process would."""
    drawing_javascript.cache_clear()
    return drawing_javascript()


@pytest.fixture(autouse=True)
def _forgotten() -> object:
    yield
    drawing_javascript.cache_clear()


def test_it_is_bundled_once_and_ends_no_script_element(bundled: list[str], tmp_path: Path) -> None:
    first = anew()
    assert anew() == first == "draw('<\\/script><\\!-- é -->')"
    assert len(bundled) == 1
    assert [path.suffix for path in (tmp_path / "doorbuster").iterdir()] == [".js"]


@pytest.mark.parametrize("spoilt", [b"", b"\xff\xfe", b"0\nalert(1)", b"no line"])
def test_what_is_spoilt_is_bundled_again(spoilt: bytes, bundled: list[str], tmp_path: Path) -> None:
    first = anew()
    (kept,) = (tmp_path / "doorbuster").iterdir()
    kept.write_bytes(spoilt)
    assert anew() == first
    assert len(bundled) == 2
    assert anew() == first
    assert len(bundled) == 2


def test_without_a_place_to_keep_it_each_report_bundles(
    bundled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert anew() == anew()
    assert len(bundled) == 2
