"""holdfast report: what it writes, and what it leaves as it is."""

import shutil
from pathlib import Path

import pytest

from tests.cli.saying import said

STORED = Path(__file__).parents[1] / "experiments" / "stored"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Return a folder of a person's own with the tables of `holdfast reproduce`."""
    return Path(shutil.copytree(STORED, tmp_path / "stored"))


def test_the_tables_are_written_to_a_new_file(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "report", stored, "--out", stored / "below" / "all.txt")
    assert (status, out) == (0, "")
    assert (stored / "below" / "all.txt").read_text(encoding="utf-8") == (stored / "printed.txt").read_text("utf-8")


@pytest.mark.parametrize("name", ["{table}", "printed.txt", "tables", ".", ""])
def test_what_is_there_is_not_written_over(
    name: str, stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(stored)
    before = {path: path.read_bytes() for path in stored.rglob("*") if path.is_file()}
    out = name.format(table=min((stored / "tables").iterdir()))
    status, _, err = said(capsys, "report", ".", f"--out={out}", "--figures", "figures")
    assert (status, err.count("\n")) == (2, 1)
    assert f"{Path(out)} is there already" in err
    assert {path: path.read_bytes() for path in stored.rglob("*") if path.is_file()} == before
