"""The command line as a person meets it: what it prints, and one line with status 2 for every mistake."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast import CropFlip, Run, Start, record
from holdfast.attacks import FGSM
from holdfast.choices import attack_kinds, chosen_run
from holdfast.cli import VERBS, main
from holdfast.data import load
from holdfast.methods import AT, EAT, Guarded, Kurakin, Saved, SIMAdv
from holdfast.models import build
from holdfast.networks import read_run
from holdfast.options import in_decimals


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small finished run."""
    path = tmp_path_factory.mktemp("run") / "standard"
    options = ["--epochs", "4", "--limit", "256", "--batch", "32", "--optimizer.lr", "0.05", "--folder", str(path)]
    assert main(["train", "standard", *options]) == 0
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command and return its status, what it printed, and what it complained of."""
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "--help")
    assert status == 0
    assert all(verb in out for verb in VERBS)
    assert set(VERBS) == {"train", "attack", "audit", "purify", "reproduce", "report", "list"}


@pytest.mark.parametrize("verb", ["train", "attack", "audit", "reproduce"])
def test_help_of_a_verb_names_what_it_takes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"usage: holdfast {verb}" in capsys.readouterr().out


def test_list_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "list")
    assert status == 0
    for word in ("PGD", "TRADES", "wrn-28-10", "tiny-imagenet", "cl", "demo"):
        assert word in out
    assert said(capsys, "list", "attacks")[1].count("\n") == 1 + len(attack_kinds())


def test_train_writes_a_run_and_says_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {"run.json", "metrics.jsonl", "last.pt", "model.safetensors"} <= {path.name for path in folder.iterdir()}
    described = json.loads((folder / "run.json").read_text())
    assert described["optimizer"]["lr"] == 0.05


def test_names_choose_the_parts_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "train",
        "trades",
        "fgsm",
        "adamw",
        "triangle",
        "cropflip",
        "--optimizer.lr",
        "0.002",
        "--augment.pad",
        "1",
    )
    assert said(capsys, *words, "--epochs", "1", "--limit", "64", "--folder", tmp_path)[0] == 0
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["method"]["attack"]["kind"] == "FGSM"
    assert described["method"]["attack"]["objective"]["name"] == "divergence"
    assert described["optimizer"] == {"kind": "AdamW", "lr": 0.002, "weight_decay": 0.01}
    assert described["schedule"]["kind"] == "Triangle"
    assert described["augment"]["pad"] == 1


def test_a_guard_takes_the_names_of_what_it_guards() -> None:
    assert chosen_run(["guarded", "simadv"]).method == Guarded(SIMAdv())
    assert chosen_run(["Guarded", "AT", "FGSM"]).method == Guarded(AT(FGSM(AT().attack.threat)))


def test_a_run_names_others_by_their_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--data", "made-up:1x8x8", "--limit", "32", "--batch", "16", "--epochs", "1")
    assert said(capsys, "train", "standard", *small, "--folder", tmp_path / "first")[0] == 0
    begun = ("--begin", tmp_path / "first", "--takes", "optimizer", "--others", tmp_path / "first")
    assert said(capsys, "train", "kurakin", *small, *begun, "--folder", tmp_path / "second")[0] == 0
    assert said(capsys, "train", "EAT", *small, *begun[4:], "--folder", tmp_path / "third")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "third"}  # none was trained again
    first, second, third = (read_run(tmp_path / name) for name in ("first", "second", "third"))
    assert second.start == Start(first, "optimizer")
    assert second.method == Kurakin(crafts=(*Kurakin().crafts, Saved(first)))
    assert third.method == EAT((first,))
    assert list((tmp_path / "first").glob("bank-*.bytes"))


def test_attack_writes_images_that_stay_in_the_ball(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "attacked.npz"
    words = ("--limit", "40", "--attack.threat.eps", "0.2", "--out", out)
    status, told, _ = said(capsys, "attack", "pgd", folder, *words)
    assert status == 0
    assert "after rounding to 8 bits" in told
    with np.load(out) as arrays:
        assert arrays["images"].shape == (40, 1, 8, 8)
        assert np.abs(arrays["images"] - arrays["original"]).max() <= 0.2 + 1e-6
        again = load(f"npz:{out}", "test")
        assert torch.equal(again.images, torch.from_numpy(arrays["images"]))
    assert again.classes == load("digits", "test").classes


def test_attack_prints_what_another_network_answers_and_what_the_attack_spent(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = build("lenet", (1, 8, 8), 10).eval(), tmp_path / "a.npz"
    record.write_tensors(tmp_path / "other.safetensors", other.state_dict())
    words = (
        "attack",
        "pgd",
        folder,
        "--limit",
        "60",
        "--attack.steps",
        "4",
        "--attack.threat.eps",
        "0.2",
        "--out",
        out,
    )
    transfer = ("--judge", tmp_path / "other.safetensors", "--judge-model", "lenet")
    white, black = (said(capsys, *words, *more)[1] for more in ((), transfer))
    assert "4.0 forward and 4.0 backward passes an image" in white
    assert "4.0 forward and 4.0 backward passes an image" in black
    with np.load(out) as arrays:
        images, original, labels = (torch.from_numpy(arrays[name]) for name in ("images", "original", "labels"))
    before, after = (float((other(x).argmax(1) == labels).float().mean()) for x in (original, images))
    assert f"60 images: {before:.1%} right before, {after:.1%} after," in black
    assert black != white


def test_attack_is_judged_by_a_run_as_well(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("attack", "FGSM", folder, "--limit", "40", "--out", tmp_path / "a.npz")
    assert said(capsys, *words, "--judge", folder) == said(capsys, *words)


def test_attack_writes_pictures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, _ = said(capsys, "attack", "FGSM", folder, "--limit", "3", "--out", tmp_path / "pictures")
    assert status == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3
    words = ("attack", "FGSM", folder, "--limit", "2", "--out", tmp_path / "pictures")
    status, _, error = said(capsys, *words)
    assert (status, error.count("\n")) == (2, 1)
    assert "holds pictures already" in error


def test_attack_takes_weights_with_an_architecture(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--limit", "5", "--out", tmp_path / "a.npz")
    assert said(capsys, "attack", "FGSM", folder / "model.safetensors", "--model", "digits-net", *out)[0] == 0


def test_reproduce_then_report_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--scale", "smoke", "--folder", tmp_path)
    status, out, _ = said(capsys, "reproduce", "demo", *place)
    assert status == 0
    assert "worst case" in out
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
    status, out, _ = said(capsys, "reproduce", "demo", *place, "--table", "1", "--json")
    assert status == 0
    assert json.loads(out)["demo table 1"]["values"]["Standard"].keys() >= {"clean", "PGD-20", "worst case"}


MISTAKES = [
    ((), "usage"),
    (("trian",), "did you mean 'train'"),
    (("train",), "usage: holdfast train METHOD"),
    (("train", "TRADE"), "did you mean 'TRADES'"),
    (("train", "AT", "AdmW"), "did you mean 'AdamW'"),
    (("train", "standard", "FGSM"), "trains on no attack"),
    (("train", "AT", "--epoch", "3"), "--epochs"),
    (("train", "AT", "--epochs", "many"), "--epochs"),
    (("train", "AT", "--epochs", "0"), "epochs = 0"),
    (("train", "AT", "--method.attack.threat.eps", "8"), "did you mean 8/255?"),
    (("train", "AT", "--method.attack.steps", "0"), "steps = 0"),
    (("train", "AT", "--data", "digit", "--folder", "{tmp}/a"), "did you mean 'digits'"),
    (("train", "AT", "--data", "mnist", "--data-root", "{tmp}/none", "--folder", "{tmp}/b"), "--data-root"),
    (("train", "AT", "--model", "wrn-27-10", "--folder", "{tmp}/c"), "6n + 4"),
    (("train", "AT", "--data", "npz:{tmp}/none.npz", "--folder", "{tmp}/d"), "none.npz"),
    (("train", "AT", "--device", "gpu", "--folder", "{tmp}/e"), "device 'gpu' cannot be used here"),
    (("train", "AT", "--others", "{run}"), "AT uses no other runs"),
    (("train", "EAT", "--others", "{run}", "--folder", "{tmp}/f"), "does not lie beside {tmp}/f"),
    (("train", "standard", "--begin", "{tmp}/nowhere"), "run.json is missing"),
    (("attack", "PGD"), "needs a network"),
    (("attack", "PGD", "{run}", "--device", "cuda:77"), "device 'cuda:77' cannot be used here"),
    (("attack", "PDG", "{run}"), "did you mean 'PGD'"),
    (("attack", "PGD", "{tmp}/nowhere"), "no run's folder"),
    (("attack", "PGD", "{tmp}/weights.pt"), "is a pickle"),
    (("attack", "PGD", "{run}/model.safetensors"), "--model"),
    (("attack", "PGD", "{run}/model.safetensors", "--model", "small-cnn"), "small-cnn"),
    (("attack", "PGD", "{run}/model.safetensors", "--model", "vgg-16"), "vgg-16"),
    (("attack", "PGD", "{other}", "--model", "digits-net"), "holds the weights of another network"),
    (("attack", "PGD", "{run}", "--judge", "{tmp}/nowhere"), "no run's folder"),
    (("attack", "PGD", "{run}", "--judge", "{other}"), "--model"),
    (("attack", "PGD", "{run}", "--judge", "{other}", "--judge-model", "vgg-16"), "vgg-16"),
    (("attack", "PGD", "{run}", "--judge", "{tmp}/cropped"), "was trained to see images of shape (1, 6, 6)"),
    (("attack", "FeatureDistortion", "{run}", "--attack.layers", "blck1"), "no layer is called 'blck1'"),
    (("attack", "PGD", "{run}", "--limit", "0"), "limit = 0"),
    (("attack", "PGD", "{run}", "--out", "{tmp}/a.txt"), "npz"),
    (("attack", "PGD", "{run}", "--data", "made-up:3x8x8"), "another network"),
    (("reproduce",), "usage: holdfast reproduce PAPER"),
    (("reproduce", "demos"), "did you mean 'demo'"),
    (("reproduce", "demo", "--table", "7"), "table of demo"),
    (("reproduce", "demo", "--scale", "smok"), "did you mean 'smoke'"),
    (("report", "{tmp}"), "holds no tables"),
    (("report",), "needs the folder"),
    (("list", "attack"), "did you mean 'attacks'"),
    (("audit", "x"), "no run's folder"),
    (("purify", "x"), "not built yet"),
]


@pytest.mark.parametrize(
    ("words", "answer"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_is_one_line_and_status_2(
    words: tuple[str, ...], answer: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    record.write_tensors(other, build("lenet", (1, 8, 8), 10).state_dict())
    (tmp_path / "weights.pt").write_bytes(b"x")
    record.write_json(tmp_path / "cropped" / "run.json", Run(augment=CropFlip(size=6)))
    filled = [word.format(tmp=tmp_path, run=folder, other=other) for word in words]
    status, out, err = said(capsys, *filled)
    assert status == 2
    assert answer.format(tmp=tmp_path) in (err or out)
    if words:
        complaints = [line for line in err.splitlines() if line.startswith("holdfast: ")]
        assert len(complaints) == 1
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("stop", "expected", "words"),
    [
        (KeyboardInterrupt(), 130, "go on from here when called again"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to\nallocate"), 2, "give a smaller --batch"),
    ],
    ids=["interrupted", "out of memory"],
)
def test_what_stops_a_command_is_one_line(
    stop: BaseException, expected: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*args: object, **words: object) -> None:
        raise stop

    monkeypatch.setattr("holdfast.cli.train", stopped)
    status, _, err = said(capsys, "train", "standard")
    assert status == expected
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_training_that_diverges_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--optimizer.lr", "1e30", "--epochs", "3", "--limit", "128", "--folder", tmp_path / "run")
    status, _, err = said(capsys, "train", "standard", *words)
    assert status == 1
    assert "NaN or infinite at step" in err


def test_the_installed_command_runs() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "holdfast.cli", "list", "methods"], capture_output=True, text=True, check=True
    )
    assert "TRADES" in told.stdout


def test_images_come_back_from_bytes_to_the_nearest(folder: Path) -> None:
    from holdfast.export import to_bytes

    images = torch.tensor([0.0, 0.49 / 255, 0.51 / 255, 1.0])
    assert to_bytes(images).tolist() == [0, 0, 1, 255]


def test_a_radius_may_be_written_as_a_fraction() -> None:
    assert in_decimals(["--threat.eps", "8/255", "--data", "8/255", "--eps=1/4"]) == [
        "--threat.eps", repr(8 / 255), "--data", "8/255", "--eps=0.25"
    ]  # fmt: skip
    assert in_decimals(["--eps", "1/0"]) == ["--eps", "1/0"]


def test_the_radius_of_an_attack_may_be_a_fraction(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("attack", "FGSM", folder, "--limit", "40", "--out", tmp_path / "a.npz", "--attack.threat.eps")
    assert said(capsys, *words, "1/4")[:2] == said(capsys, *words, "0.25")[:2]
    status, _, err = said(capsys, *words, "1/0")
    assert status == 2
    assert len(err.splitlines()) == 1


def test_a_library_s_network_is_attacked_with_its_public_weights_or_not_at_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    words = ("attack", "FGSM", "torchvision:resnet18", "--data", "made-up:3x32x32", "--limit", "2", "--out")
    status, _, err = said(capsys, *words, tmp_path / "a.npz")
    assert status == 2
    assert "weights" in err
    assert len(err.splitlines()) == 1
    assert said(capsys, *words, tmp_path / "a.npz", "--no-pretrained")[0] == 0
