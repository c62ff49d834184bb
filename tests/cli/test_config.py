"""`--config`: options from a file, and a run repeated from its run.json."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli.config import with_config
from holdfast.methods import Kurakin, SavedImages
from holdfast.storage.signed import write_json
from holdfast.training.folder import read_run
from tests.cli.saying import said

SHORT = {"epochs": 1, "limit": 64, "batch": 32}


def options(path: Path, **given: object) -> Path:
    """Write a file of options."""
    path.write_text(json.dumps(given))
    return path


def test_options_of_a_file_come_first_and_those_of_the_command_line_count(tmp_path: Path) -> None:
    given = {"seed": 4, "attack": "PGD", "download": True, "limit": None, "optimizer": {"lr": 0.2, "weight_decay": 0}}
    file = options(tmp_path / "a.json", **given, others=["x", "y"], **{"optimizer.nesterov": False})
    words = ["--config", str(file)]
    expected = ["--download", "--limit=None", "--optimizer.lr=0.2", "--optimizer.weight-decay=0", "--others", "x", "y"]
    expected += ["--optimizer.no-nesterov", *words]
    assert with_config(["net", *words]) == ["net", "--seed=4", "--attack=PGD", *expected]
    said = ["--attack=FGSM", "--no-download", "--seeds", "1", "--optimizer.lr", "1", "--others", "--optimizer.nesterov"]
    assert with_config([*words, *said]) == ["--limit=None", "--optimizer.weight-decay=0", *words, *said]
    assert with_config(said) == said


def test_a_training_by_a_file_is_the_one_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"attack": "fgsm", "norm": "L2", "optimizer": "AdamW", "method": {"attack": {"threat": {"eps": 0.7}}}}
    file = options(tmp_path / "a.json", **SHORT, **parts, folder=str(tmp_path / "file"))
    assert said(capsys, "train", "AT", "--config", file, "--batch", "16")[0] == 0
    words = ("--attack", "fgsm", "--norm", "L2", "--optimizer", "AdamW", "--method.attack.threat.eps", "0.7")
    short = ("--epochs", "1", "--limit", "64", "--batch", "16", "--folder", tmp_path / "words")
    assert said(capsys, "train", "AT", *words, *short)[0] == 0
    assert read_run(tmp_path / "file") == read_run(tmp_path / "words")


def test_a_run_json_repeats_its_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "--config", folder / "run.json", "--folder")
    assert said(capsys, *words, tmp_path / "again")[0] == 0
    for name in ("run.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert said(capsys, *words, tmp_path / "other", "--optimizer", "AdamW", "--seed", "3", "--epochs", "1")[0] == 0
    run = read_run(folder)
    changed = replace(run, optimizer=read_run(tmp_path / "other").optimizer, seed=3, epochs=1)
    assert type(changed.optimizer).__name__ == "AdamW"
    assert read_run(tmp_path / "other") == changed


def test_a_run_that_uses_another_is_repeated_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--data", "made-up:1x8x8", "--limit", "32", "--batch", "16", "--epochs", "1", "--folder")
    assert said(capsys, "train", "standard", *small, tmp_path / "used")[0] == 0
    used = read_run(tmp_path / "used")
    run = replace(used, method=Kurakin(adversaries=(*Kurakin().adversaries, SavedImages(used))))
    write_json(tmp_path / "given.json", run)
    assert said(capsys, "train", "--config", tmp_path / "given.json", "--folder", tmp_path / "run")[0] == 0
    assert read_run(tmp_path / "run") == run
    assert {path.name for path in tmp_path.iterdir()} == {"used", "given.json", "run"}


def test_attack_and_audit_take_options_from_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = options(tmp_path / "a.json", norm="L2", limit=4, out=str(tmp_path / "a.npz"))
    assert said(capsys, "attack", "FGSM", folder, "--config", file)[1].startswith("4 images")
    file = options(tmp_path / "b.json", threat={"norm": "L2", "eps": "12/4"}, limit=4, effort="fast", json=True)
    status, out, _ = said(capsys, "audit", folder, f"--config={file}", "--limit", "3", "--folder", tmp_path / "audit")
    assert status == 0
    assert (json.loads(out)["threat"], json.loads(out)["count"]) == ({"kind": "L2", "eps": 3.0}, 3)  # all fall at once


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"epoch": 3}', "--epochs"),
        ('{"epochs": "many"}', "many"),
        ('{"optimizer": "AdmW"}', "did you mean 'AdamW'"),
        ('{"others": [[1]]}', "others"),
        ("[1, 2]", "a.json"),
        ("epochs: 3", "a.json"),
        ('{"kind": "Run", "method": 3}', "a.json"),
        (None, "a.json is missing"),
    ],
)
def test_a_mistake_in_a_file_is_one_line(
    text: str | None, answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    status, _, err = said(capsys, "train", "AT", "--config", tmp_path / "a.json")
    assert (status, err.count("\n")) == (2, 1)
    assert answer in err


@pytest.mark.parametrize("words", ["train AT", "attack FGSM {run}", "audit {run}"])
def test_a_run_json_is_no_file_of_options(words: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled = words.format(run=folder).split()
    status, _, err = said(capsys, *filled, "--config", folder / "run.json")
    assert (status, err.count("\n")) == (2, 1)
    assert str(folder / "run.json") in err
