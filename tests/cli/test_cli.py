"""The command line as a person meets it: help, lists, trainings by the names of their parts, and papers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import Start, __version__
from holdfast.attacks import FGSM, MIM
from holdfast.cli.compose import chosen_run
from holdfast.cli.parse import in_decimals
from holdfast.cli.parts import ATTACKS, PARTS
from holdfast.cli.verbs import VERBS, main
from holdfast.defences import DEFENCES
from holdfast.devices import conditions, on_which
from holdfast.methods import AT, AWP, EAT, MART, Guarded, Kurakin, SavedImages, SIMAdv
from holdfast.training.folder import read_run
from tests.cli.saying import said


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "--help")
    assert status == 0
    assert all(verb in out for verb in VERBS)
    assert set(VERBS) == {"train", "attack", "audit", "purify", "convert", "export", "reproduce", "report", "list"}


def test_the_version_is_the_one_that_the_package_states(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--version") == (0, f"holdfast {__version__}\n", "")


@pytest.mark.parametrize("verb", ["train", "attack", "audit", "reproduce"])
def test_help_of_a_verb_names_what_it_takes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"usage: holdfast {verb}" in capsys.readouterr().out


def test_the_help_of_a_run_says_what_networks_and_data_sets_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "AT", "--help"])
    out = capsys.readouterr().out
    assert "FILE.py:FUNCTION" in out
    assert "npz:PATH" in out


@pytest.mark.parametrize("words", [("train", "AT"), ("attack", "PGD"), ("audit",)], ids=" ".join)
def test_help_lists_what_a_part_may_be(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    out = re.sub(r"[\s│]", "", capsys.readouterr().out)
    for part in PARTS if words[0] == "train" else ("norm",):
        assert f"--{part}{{{','.join(PARTS[part])}}}" in out


def test_list_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "list")
    assert status == 0
    for word in ("PGD", "BitDepth", "TRADES", "wrn-28-10", "tiny-imagenet", "cl", "demo"):
        assert word in out
    assert said(capsys, "list", "attacks")[1].count("\n") == 1 + len(ATTACKS)
    assert said(capsys, "list", "defences")[1].count("\n") == 1 + len(DEFENCES)


def test_train_writes_a_run_and_says_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {"run.json", "metrics.jsonl", "last.pt", "model.safetensors"} <= {path.name for path in folder.iterdir()}
    described = json.loads((folder / "run.json").read_text())
    assert described["optimizer"]["lr"] == 0.05


def test_names_choose_the_parts_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "train",
        "trades",
        "--schedule",
        "triangle",
        "--AUGMENT=CropFlip",
        "--optimizer.lr",
        "0.002",
        "--augment.pad",
        "1",
        "--attack",
        "fgsm",
        "--optimizer",
        "adamw",
    )
    assert said(capsys, *words, "--epochs", "1", "--limit", "64", "--folder", tmp_path)[0] == 0
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["method"]["attack"]["kind"] == "FGSM"
    assert described["method"]["attack"]["objective"]["name"] == "divergence"
    assert described["optimizer"] == {"kind": "AdamW", "lr": 0.002, "weight_decay": 0.01}
    assert described["schedule"]["kind"] == "Triangle"
    assert described["augment"]["pad"] == 1


def test_a_guard_takes_the_names_of_what_it_guards() -> None:
    assert chosen_run("guarded", ["--guards", "simadv"]).method == Guarded(SIMAdv())
    assert chosen_run("AWP", ["--guards", "MART", "--attack", "MIM"]).method == AWP(MART(MIM(MART().attack.threat)))
    assert chosen_run("Guarded", ["--attack", "FGSM", "--guards", "AT"]).method == Guarded(AT(FGSM(AT().attack.threat)))


def test_a_run_names_others_by_their_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--data", "made-up:1x8x8", "--limit", "32", "--batch", "16", "--epochs", "1")
    assert said(capsys, "train", "standard", *small, "--folder", tmp_path / "first")[0] == 0
    begun = ("--begin", tmp_path / "first", "--takes", "optimizer", "--others", tmp_path / "first")
    assert said(capsys, "train", "kurakin", *small, *begun, "--folder", tmp_path / "second")[0] == 0
    assert said(capsys, "train", "EAT", *small, *begun[4:], "--folder", tmp_path / "third")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "third"}  # none was trained again
    first, second, third = (read_run(tmp_path / name) for name in ("first", "second", "third"))
    assert second.start == Start(first, "optimizer")
    assert second.method == Kurakin(adversaries=(*Kurakin().adversaries, SavedImages(first)))
    assert third.method == EAT((first,))
    assert list((tmp_path / "first").glob("bank-*.bytes"))


def test_reproduce_then_report_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--scale", "smoke", "--folder", tmp_path)
    status, out, err = said(capsys, "reproduce", "demo", *place)
    assert status == 0
    assert "worst case" in out
    assert on_which(conditions("auto")) in out
    assert {line.partition(": ")[0] for line in err.splitlines()} == {"Standard", "AT-PGD", "TRADES-PGD", "CL-PGD"}
    assert not re.search(r"\b[0-9a-f]{12}\b", err)
    page = (tmp_path / "report.html").read_text()
    assert "TRADES-PGD" in page
    assert "http://" not in page
    assert "https://" not in page
    for form, mark in (("text", "AT-PGD"), ("markdown", "| AT-PGD |"), ("latex", r"\toprule"), ("json", '"AT-PGD"')):
        status, out, _ = said(capsys, "report", tmp_path, "--format", form)
        assert status == 0
        assert mark in out
    assert said(capsys, "report", tmp_path, "--figures", tmp_path / "figures")[0] == 0
    drawn = [path.read_text() for path in (tmp_path / "figures").glob("*.svg")]
    assert len(drawn) == len(list((tmp_path / "tables").glob("*.json")))
    assert all("</svg>" in svg for svg in drawn)
    (tmp_path / "options.json").write_text(json.dumps({"scale": "smoke", "table": ["1"], "json": True}))
    status, out, _ = said(capsys, "reproduce", "demo", "--config", tmp_path / "options.json", "--folder", tmp_path)
    assert status == 0
    assert json.loads(out)["demo table 1"]["values"]["Standard"].keys() >= {"clean", "PGD-20", "worst case"}


def test_the_installed_command_runs() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "holdfast", "list", "methods"], capture_output=True, text=True, check=True
    )
    assert "TRADES" in told.stdout


def test_a_radius_may_be_written_as_a_fraction() -> None:
    assert in_decimals(["--threat.eps", "8/255", "--data", "8/255", "--eps=1/4"]) == [
        "--threat.eps", repr(8 / 255), "--data", "8/255", "--eps=0.25"
    ]  # fmt: skip
    assert in_decimals(["--eps", "1/0"]) == ["--eps", "1/0"]


def test_only_a_radius_may_be_written_as_a_fraction(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_decimals(["--steps", "10/2", "--attack.steps=10/2"]) == ["--steps", "10/2", "--attack.steps=10/2"]
    status, _, err = said(capsys, "attack", "PGD", "runs/at", "--attack.steps", "10/2")
    assert (status, err.count("\n")) == (2, 1)
    assert "'10/2'" in err
