"""The import directions of the design hold; `make check` says which line breaks one."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_import_contracts_hold(tmp_path: Path) -> None:
    command: list[str | Path] = [
        Path(sys.executable).with_name("lint-imports"),
        "--cache-dir",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: " in done.stdout
    assert " 0 kept" not in done.stdout
