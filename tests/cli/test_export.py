"""holdfast export: one file that answers as the network behind its defences does."""

from pathlib import Path

import pytest
import torch

from holdfast.cli.defended import behind
from holdfast.training.networks import network
from tests.cli.saying import said


def test_a_run_and_its_defences_become_one_program(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "defended.pt2"
    status, told, _ = said(capsys, "export", folder, "--defence", "BitDepth:bits=2", "--out", out)
    assert status == 0
    assert f"n x 1x8x8 in [0, 1], written to {out}" in told
    images = torch.rand(3, 1, 8, 8)
    defended = behind(network(str(folder), None, (1, 8, 8), 10), ["BitDepth:bits=2"], (1, 8, 8), 10)
    assert torch.equal(torch.export.load(out).module()(images), defended(images))


@pytest.mark.parametrize(("words", "named"), [(("--out", "net.pt"), "net.pt"), ((), "give one network")])
def test_what_cannot_be_written_is_refused(
    words: tuple[str, ...], named: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = said(capsys, "export", *([folder] if words else []), *words)
    assert status == 2
    assert named in err


@pytest.mark.parametrize("words", [(), ("--out", "network.pt2")])
def test_what_is_there_is_not_written_over(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.pt2").write_text("mine")
    status, _, err = said(capsys, "export", "nowhere", *words)
    assert (status, err.count("\n")) == (2, 1)
    assert "network.pt2 is there already: give --out another path, or delete it" in err
    assert (tmp_path / "network.pt2").read_text() == "mine"
