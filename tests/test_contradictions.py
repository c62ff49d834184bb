"""Words that contradict each other, or that nothing would heed, are refused in one line, before anything is done."""

import json
from pathlib import Path

import pytest

from holdfast.cli import main

REFUSED = {
    "attack PGD {run} --model lenet": "says itself what it is",
    "attack PGD {run} --judge-model lenet": "--judge-model without --judge",
    "audit {run} --model lenet": "says itself what it is",
    "audit {run} --other-model lenet": "there is no other network",
    "train AT PGD FGSM": "PGD and FGSM would take the same place",
    "train Standard AdamW SGD": "AdamW and SGD would take the same place",
    "train Standard --takes position": "--takes position without --begin",
    "reproduce demo --scale smoke --device cuda:99 --folder {run}/papers": "cuda:99",
}


@pytest.mark.parametrize("words", REFUSED)
def test_contradictions_are_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    assert main(["train", "Standard", "--epochs", "1", "--limit", "20", "--folder", str(run)]) == 0
    capsys.readouterr()
    before = files(tmp_path)
    assert main(words.format(run=run).split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert REFUSED[words] in error
    assert files(tmp_path) == before


def files(folder: Path) -> list[Path]:
    """Return every file in a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_tables_of_one_name_stay_apart_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("0", "1"):
        place = ("--scale", "smoke", "--folder", str(tmp_path), "--seeds", seed)
        assert main(["reproduce", "demo", "--table", "1", *place]) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
