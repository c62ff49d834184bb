"""Defences on the command line: what is attacked, what is judged, and what a report calls it."""

from pathlib import Path

import pytest
from torch import nn

from holdfast.cli.defended import behind, named
from holdfast.defences import DEFENCES, BitDepth, steps_of
from holdfast.models import build
from holdfast.storage.signed import read_any_json
from tests.cli.saying import said


@pytest.mark.parametrize("name", DEFENCES)
def test_every_defence_has_a_name(name: str) -> None:
    assert named(name) == named(name.lower()) == DEFENCES[name]()


def test_fields_are_said_after_a_colon() -> None:
    assert named("bitdepth:bits=5") == BitDepth(5)


def test_the_first_sees_the_images_first() -> None:
    defended = behind(build("digits-net", (1, 8, 8), 10), ["BitDepth:bits=5", "BitDepth:bits=2"], (1, 8, 8), 10)
    assert isinstance(defended, nn.Module)
    assert [step.defence for step in steps_of(defended)] == [BitDepth(5), BitDepth(2)]  # type: ignore[union-attr]


def test_an_audit_names_what_stands_before_the_network(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "audit",
        str(folder),
        "--threat.eps",
        "0.1",
        "--effort",
        "fast",
        "--limit",
        "20",
        "--folder",
        str(tmp_path),
    )
    assert said(capsys, *words, "--defence", "BitDepth:bits=2")[0] == 0
    report = read_any_json(tmp_path / "report.json", "")
    assert "behind BitDepth(bits=2)" in str(report)


def test_where_another_network_judges_the_defence_stands_before_that_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("attack", "PGD", str(folder), "--limit", "20", "--attack.threat.eps", "0.1")
    assert said(capsys, *words, "--out", str(tmp_path / "a.npz"))[0] == 0
    grey = (*words, "--judge", str(folder), "--defence", "BitDepth:bits=1", "--out", str(tmp_path / "b.npz"))
    assert said(capsys, *grey)[0] == 0
    defended = (*words, "--defence", "BitDepth:bits=1", "--out", str(tmp_path / "c.npz"))
    assert said(capsys, *defended)[0] == 0
    one, two, three = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert one == two != three
