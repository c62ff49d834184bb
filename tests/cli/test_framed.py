"""--resize and --crop, and what the public networks say themselves."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from holdfast import Linf, Report
from holdfast.auditing import Stage
from holdfast.cli.framed import framing_for
from holdfast.data import Framing
from tests.cli.saying import said

TINY = f"{Path(__file__).parents[1] / 'auditing' / 'tiny.py'}:linear"


@pytest.mark.parametrize(
    ("network", "source", "resize", "crop", "pretrained", "wanted"),
    [
        ("torchvision:resnet50", "imagefolder:x", (), (), True, Framing(232, 224, "bilinear", usual=True)),
        ("torchvision:swin_b", "folder:x", (), (), True, Framing(238, 224, "bicubic", usual=True)),
        ("torchvision:swin_b", "folder:x", (300,), (), True, Framing(300, 224, "bicubic")),
        ("torchvision:resnet50", "cifar10", (), (), True, None),
        ("torchvision:resnet50", "cifar10", (256,), (), True, Framing(256, 224)),
        ("torchvision:resnet50", "imagefolder:x", (), (), False, None),
        ("torchvision:resnet50", "imagefolder:x", (), (96, 64), False, Framing(None, (96, 64))),
        ("runs/at", "imagefolder:x", (), (), True, None),
        ("runs/at", "imagefolder:x", (64, 64), (), True, Framing((64, 64))),
    ],
)
def test_what_nobody_asks_the_public_network_says(
    network: str, source: str, resize: tuple[int, ...], crop: tuple[int, ...], pretrained: bool, wanted: Framing | None
) -> None:
    assert framing_for(network, source, resize, crop, pretrained) == wanted


@pytest.mark.parametrize("words", [("--resize", 3, 4, 5), ("--crop", 0), ("--crop", 4, -4)])
def test_sides_that_are_none_are_refused(words: tuple[object, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, "audit", TINY, *words)
    assert status == 2
    assert f"{' '.join(map(str, words))}: give one number, or ROWS and COLUMNS, of 1 or more" in err


def test_the_report_says_how_pictures_were_framed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def audited(model: object, images: torch.Tensor, *_: object) -> Report:
        return Report(Linf(), "fast", 0, images, torch.tensor([-1]), (Stage("clean", 1, 0, 1, 0, 0.0),))

    monkeypatch.setattr("holdfast.cli.audit.audit", audited)
    for label in range(10):
        (tmp_path / "val" / str(label)).mkdir(parents=True)
        Image.new("L", (20 + label, 30), 20 * label).save(tmp_path / "val" / str(label) / "0.png")
    words = ("--resize", 9, "--crop", 8, "--limit", 1, "--folder", tmp_path / "audit")
    status, out, err = said(capsys, "audit", TINY, "--data", f"imagefolder:{tmp_path}", *words)
    assert status == 0, err
    framed = "resized to shorter side 9 (bilinear), cropped to the middle 8 x 8"
    assert f"images {framed}" in out
    assert framed in (tmp_path / "audit" / "report.json").read_text()
    assert framed in (tmp_path / "audit" / "report.html").read_text()
