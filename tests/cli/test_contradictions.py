"""Words that contradict each other, or that nothing would heed, are refused in one line, before anything is done."""

import json
from pathlib import Path

import pytest

from holdfast.cli import main
from tests.unchecked import refusals

REFUSED = {
    "attack PGD {run} --model lenet": "--model lenet",
    "attack PGD {run} --judge-model lenet": "--judge-model needs --judge",
    "audit {run} --model lenet": "--model lenet",
    "audit {run} --other-model lenet": "there is no other network",
    "train AT --attack PGD --attack FGSM": "PGD and FGSM",
    "train Standard --optimizer AdamW --optimizer=SGD": "AdamW and SGD",
    "train TRADES --method.beta -1": "beta = -1",
    "reproduce cl --figure 1": "there is none",
    "train Standard --takes position": "--takes position needs --begin",
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


def test_what_is_no_table_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tables").mkdir()
    for text in ("{}", "[]", '{"kind": "function"}'):
        (tmp_path / "tables" / "a.json").write_text(text)
        assert main(["report", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "run holdfast reproduce again" in error or "does not know" in error


def test_a_run_that_is_not_finished_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "Standard", "--epochs", "1", "--limit", "20", "--folder", str(tmp_path / "run")]) == 0
    (tmp_path / "run" / "model.safetensors").unlink()
    assert main(["attack", "FGSM", str(tmp_path / "run")]) == 2
    assert "is not finished: train it again" in capsys.readouterr().err


def test_runs_of_what_is_no_method_or_no_name_are_refused_where_no_type_checker_runs() -> None:
    given = "{'method': hf.methods.AT}, {'method': 'AT'}, {'model': torch.nn.Flatten()}"
    kind, word, model = refusals("hf.Run(**it)", given)
    assert "give one that is made" in kind
    assert "give one that is made" in word
    assert "model is a Flatten" in model


def test_tables_of_one_name_stay_apart_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("0", "1"):
        place = ("--scale", "smoke", "--folder", str(tmp_path), "--seeds", seed)
        assert main(["reproduce", "demo", "--table", "1", *place]) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
