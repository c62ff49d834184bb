"""One line for every mistake and whatever else stops a command, and the status that goes with it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from holdfast import CropFlip, Run
from holdfast.models import build
from holdfast.storage.signed import write_json, write_tensors
from tests.cli.saying import said

MISTAKES = [
    ((), "usage"),
    (("trian",), "did you mean 'train'"),
    (("train",), "usage: holdfast train METHOD"),
    (("train", "TRADE"), "did you mean 'TRADES'"),
    (("train", "AT", "--optimizer", "AdmW"), "did you mean 'AdamW'"),
    (("train", "AT", "--augment=crop"), "crop-flip"),
    (("train", "AT", "--optimiser", "AdamW"), "--optimizer"),
    (("train", "AT", "--optimizer"), "--optimizer"),
    (("train", "AT", "FGSM", "L2", "--epochs", "1"), "--attack FGSM --norm L2"),
    (("train", "AT", "AdmW"), "--optimizer AdamW"),
    (("train", "AT", "cropflip"), "--augment crop-flip"),
    (("train", "AT", "xyzzy"), "--attack"),
    (("train", "standard", "--attack", "FGSM"), "--attack FGSM"),
    (("train", "standard", "--guards", "AT"), "--guards AT"),
    (("attack", "PGD", "L2", "{run}"), "--norm L2"),
    (("attack", "PGD", "l2"), "--norm L2"),
    (("attack", "PGD", "{run}", "--norm", "l3"), "'l3'"),
    (("attack", "PGD", "{run}", "{other}"), "one network"),
    (("train", "AT", "--epoch", "3"), "--epochs"),
    (("train", "AT", "--epochs", "many"), "--epochs"),
    (("train", "AT", "--epochs", "0"), "epochs = 0"),
    (("train", "AT", "--workers", "-1", "--folder", "{tmp}/w"), "workers = -1"),
    (("train", "AT", "--method.attack.threat.eps", "8"), "did you mean 8/255?"),
    (("train", "AT", "--method.attack.steps", "0"), "steps = 0"),
    (("train", "AT", "--data", "digit", "--folder", "{tmp}/a"), "did you mean 'digits'"),
    (("train", "AT", "--data", "mnist", "--data-root", "{tmp}/none", "--folder", "{tmp}/b"), "--data-root"),
    (("train", "AT", "--model", "wrn-27-10", "--folder", "{tmp}/c"), "6n + 4"),
    (("train", "AT", "--data", "npz:{tmp}/none.npz", "--folder", "{tmp}/d"), "none.npz"),
    (("train", "AT", "--device", "gpu", "--folder", "{tmp}/e"), "device 'gpu' cannot be used here"),
    (("train", "AT", "--others", "{run}"), "AT uses no other runs"),
    (("train", "EAT", "--others", "{run}", "--folder", "{tmp}/f"), "is not in {tmp}"),
    (("train", "standard", "--begin", "{tmp}/nowhere"), "run.json is missing"),
    (("attack", "PGD"), "needs one network"),
    (("attack", "PGD", "{run}", "--device", "cuda:77"), "device 'cuda:77' cannot be used here"),
    (("attack", "FGMS", "{run}"), "did you mean 'FGSM'"),
    (("attack", "PGD", "{tmp}/nowhere"), "no run's folder"),
    (("attack", "PGD", "{tmp}/weights.pt"), "is no file of weights"),
    (("attack", "PGD", "{run}/model.safetensors"), "--model"),
    (("attack", "PGD", "{run}/model.safetensors", "--model", "small-cnn"), "small-cnn"),
    (("attack", "PGD", "{run}/model.safetensors", "--model", "vgg-16"), "vgg-16"),
    (("attack", "PGD", "{other}", "--model", "digits-net"), "holds the weights of another network"),
    (("attack", "PGD", "{run}", "--judge", "{tmp}/nowhere"), "no run's folder"),
    (("attack", "PGD", "{run}", "--judge", "{other}"), "--model"),
    (("attack", "PGD", "{run}", "--judge", "{other}", "--judge-model", "vgg-16"), "vgg-16"),
    (("attack", "PGD", "{run}", "--judge", "{tmp}/cropped"), "shape (1, 6, 6)"),
    (("attack", "FeatureDistortion", "{run}", "--attack.layers", "blck1"), "no layer is called 'blck1'"),
    (("attack", "PGD", "{run}", "--limit", "0"), "limit = 0"),
    (("attack", "PGD", "{run}", "--out", "{tmp}/a.txt"), "npz"),
    (("attack", "AutoAttack", "{run}"), "audit NETWORK --effort autoattack"),
    (("attack", "PGD", "{run}", "--data", "made-up:3x8x8"), "another network"),
    (("reproduce",), "usage: holdfast reproduce PAPER"),
    (("reproduce", "demos"), "did you mean 'demo'"),
    (("reproduce", "demo", "--table", "7"), "table of demo"),
    (("reproduce", "demo", "--scale", "smok"), "did you mean 'smoke'"),
    (("report", "{tmp}"), "holds no tables"),
    (("report",), "give the folder"),
    (("list", "attack"), "did you mean 'attacks'"),
    (("audit", "x"), "no run's folder"),
    (("purify", "BitDepth"), "usage: holdfast purify DEFENCE IMAGES"),
    (("purify", "BitDpth", "{tmp}"), "holds no pictures"),
    (("purify", "BitDepth", "{tmp}/nowhere"), "there is nothing at {tmp}/nowhere"),
    (("purify", "{run}", "{tmp}"), "holds no pictures"),
    (("purify", "BitDepth", "{tmp}", "--out", "{tmp}/x.npz"), "x.npz"),
    (("attack", "PGD", "{run}", "--defence", "BitDpth"), "did you mean 'BitDepth'"),
    (("attack", "PGD", "{run}", "--defence", "BitDepth:depth=3"), "'depth=3' is no field; BitDepth takes bits"),
    (("attack", "PGD", "{run}", "--defence", "BitDepth:bits=0"), "bits = 0"),
    (("attack", "PGD", "{run}", "--purifier", "{run}"), "a purifier is needed here"),
    (("audit", "{run}", "--purifier", "{tmp}/nowhere"), "nowhere"),
]


@pytest.mark.parametrize(
    ("words", "answer"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_is_one_line_and_status_2(
    words: tuple[str, ...], answer: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    write_tensors(other, build("lenet", (1, 8, 8), 10).state_dict())
    (tmp_path / "weights.pt").write_bytes(b"x")
    write_json(tmp_path / "cropped" / "run.json", Run(augment=CropFlip(size=6)))
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
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to\nallocate"),
            2,
            "give a smaller --batch and another --folder",
        ),
    ],
    ids=["interrupted", "out of memory"],
)
def test_what_stops_a_command_is_one_line(
    stop: BaseException, expected: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*args: object, **words: object) -> None:
        raise stop

    monkeypatch.setattr("holdfast.cli.train.train", stopped)
    status, _, err = said(capsys, "train", "standard")
    assert status == expected
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_mistake_on_a_terminal_is_one_plain_line() -> None:
    here, there = pty.openpty()
    words = [sys.executable, "-m", "holdfast", "train", "AT", "--optimzer.lr", "0.1"]
    ends = {"stdin": there, "stdout": there, "stderr": there}
    found = subprocess.run(words, env=os.environ | {"TERM": "xterm-256color"}, check=False, **ends)
    said = os.read(here, 10_000).decode()
    assert found.returncode == 2
    assert len(said.splitlines()) == 1
    assert not set(said) & set("\x1b│─╭╰")
    assert "--optimizer.lr" in said


def test_a_fault_inside_somebodys_network_is_one_line_that_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "faulty.py"
    file.write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        if x.requires_grad:\n            raise KeyError('gradient')\n        return x.flatten(1)[:, :10]\n"
    )
    status, _, err = said(capsys, "attack", "PGD", f"{file}:Net", "--limit", "4", "--out", tmp_path / "a.npz")
    assert status == 2
    assert err == f"holdfast: the network raised KeyError ({file}, line 5): 'gradient'\n"


def test_a_reader_that_has_read_enough_is_not_complained_of() -> None:
    words = [sys.executable, "-m", "holdfast", "list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 141


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", ["run/run.json", "pipe.safetensors"])
def test_what_is_no_regular_file_is_not_waited_for(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    words = (path, "--model", "lenet") if path.suffix == ".safetensors" else (path.parent,)
    status, _, err = said(capsys, "attack", "PGD", *words)
    assert (status, err.count("\n")) == (2, 1)
    assert str(path) in err


def test_a_refused_training_leaves_its_folder_free(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = folder.parent / "begun"
    taken = ("--begin", folder, "--takes", "position", "--limit", "256", "--batch", "32")
    words = ("train", "standard", *taken, "--folder", run, "--epochs")
    status, _, err = said(capsys, *words, "1")
    assert status == 2
    assert "step 32" in err
    assert not (run / "run.json").exists()
    assert said(capsys, *words, "5")[0] == 0


def test_a_run_without_a_step_is_no_other_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "standard", "--limit", "64", "--folder", tmp_path / "run", "--epochs")
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / "run.json", Run(epochs=7))
    assert said(capsys, *words, "1")[0] == 0
    status, _, err = said(capsys, *words, "2")
    assert status == 2
    assert "holds another run" in err


def test_a_training_that_diverges_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--optimizer.lr", "1e30", "--epochs", "3", "--limit", "128", "--folder", tmp_path / "run")
    status, _, err = said(capsys, "train", "standard", *words)
    assert status == 1
    assert "NaN or infinite at step" in err
