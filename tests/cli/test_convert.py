"""holdfast convert: what it writes is read again with nothing said."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from holdfast.cli.resolve import Sources, resolved
from holdfast.cli.saved import Saved
from holdfast.errors import BadRecord
from holdfast.models import build, load
from holdfast.training.weight_files import of_file, reading
from tests.cli.saying import said
from tests.models.public_forms import CLASSES, DEEPMIND, IMAGES, PreAct, State

SMALL = ("--shape", 3, 8, 8, "--classes", CLASSES)


def again(path: Path) -> Tensor:
    """Return what the network in a file answers that says everything itself."""
    answer: Tensor = of_file(path, None, (3, 8, 8), CLASSES, reading([str(path)])).model(IMAGES)
    return answer


def saved(state: State, folder: Path) -> Path:
    torch.save({"state_dict": state}, folder / "net.pt")
    return folder / "net.pt"


def test_a_converted_file_says_everything_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = saved(DEEPMIND.state(), tmp_path), tmp_path / "net.safetensors"
    status, told, _ = said(capsys, "convert", path, "--model", "wrn-10-1", "--option", "normalize=cifar10", *SMALL)
    assert status == 0
    assert "read with padding=asymmetric, activation=silu" in told
    assert f"written to {out}: wrn-10-1, which the file says itself" in told
    first = load(path, "wrn-10-1", (3, 8, 8), CLASSES, normalize="cifar10")(IMAGES)
    assert torch.equal(again(out), first)
    assert torch.equal(load(out, "wrn-10-1", (3, 8, 8), CLASSES)(IMAGES), first)
    with pytest.raises(BadRecord, match="holds wrn-10-1, not wrn-16-1: leave --model out"):
        load(out, "wrn-16-1", (3, 8, 8), CLASSES)


def test_options_that_were_said_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    form, out = PreAct(raw=True), tmp_path / "mine.safetensors"
    words = ("--option", "normalize=per-image", "shortcut=raw", "--out", out)
    assert said(capsys, "convert", saved(form.state(), tmp_path), "--model", "preact-resnet-18", *words, *SMALL)[0] == 0
    options = {"normalize": "per-image", "shortcut": "raw"}
    first = load(tmp_path / "net.pt", "preact-resnet-18", (3, 8, 8), CLASSES, **options)(IMAGES)
    assert torch.equal(again(out), first)


def test_a_file_does_not_have_code_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4))\n"
    )
    net, out = f"{tmp_path / 'mine.py'}:net", tmp_path / "net.safetensors"
    path = saved(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4)).state_dict(), tmp_path)
    status, told, _ = said(capsys, "convert", path, "--model", net, "--mean", 0.5, "--std", 0.25, *SMALL)
    assert status == 0
    assert f"read it with --model {net}" in told
    with pytest.raises(BadRecord, match="which is code: say it with --model"):
        again(out)
    wanted = load(path, net, (3, 8, 8), CLASSES, mean=0.5, std=0.25)(IMAGES)
    assert torch.allclose(load(out, net, (3, 8, 8), CLASSES)(IMAGES), wanted)


def test_audit_reads_what_was_converted_with_nothing_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    torch.save(build("digits-net", (1, 8, 8), 10, width=4).state_dict(), tmp_path / "net.pt")
    words = ("--model", "digits-net", "--option", "width=4", "--data", "digits")
    assert said(capsys, "convert", tmp_path / "net.pt", *words)[0] == 0
    sources = Sources(data="digits", limit=3, saved=Saved())
    assert len(resolved(sources, [str(tmp_path / "net.safetensors")])) == 1


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ((), "usage: holdfast convert"),
        (("{net}",), "say of which network with --model; its names are those of wrn-10-1"),
        (("{net}", "--model", "wrn-10-1"), "choose normalize (none | cifar10"),
        (("{net}", "--model", "wrn-10-1", "--out", "net.pt"), "--out"),
        (("nowhere.pt", "--model", "wrn-10-1"), "is missing"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(DEEPMIND.state(), tmp_path)
    status, _, err = said(capsys, "convert", *(word.format(net=path) for word in words))
    assert (status, err.count("\n")) == (2, 1)
    assert answer in err


@pytest.mark.parametrize("out", [(), ("--out", "own.safetensors"), ("--out", "{net}")], ids=str)
def test_what_is_there_is_not_written_over(
    out: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pt").write_text("not read")
    for name in ("net", "own"):
        (tmp_path / f"{name}.safetensors").write_text("mine")
    words = (word.format(net=tmp_path / "net.safetensors") for word in out)
    status, _, err = said(capsys, "convert", "net.pt", "--model", "wrn-10-1", *words, *SMALL)
    assert (status, err.count("\n")) == (2, 1)
    assert "is there already: give --out another path, or delete it" in err
    assert {path.read_text() for path in tmp_path.glob("*.safetensors")} == {"mine"}


def test_a_link_to_the_file_is_the_file_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.safetensors").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    words = ("--model", "wrn-10-1", "--out", tmp_path / "link" / "net.safetensors")
    status, _, err = said(capsys, "convert", tmp_path / "net.safetensors", *words)
    assert (status, "is the file itself: give --out another path" in err) == (2, True)
