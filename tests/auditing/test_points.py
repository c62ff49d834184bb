"""An audit whose points lie on disk finds what one in memory finds, also when it was killed and goes on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.auditing import engine, points, schedule
from holdfast.auditing.engine import Subject, run_moves
from holdfast.auditing.engine_state import Progress, read
from holdfast.auditing.points import PointsOnDisk
from holdfast.auditing.report_json import Origin, as_json
from holdfast.data import StoredImages
from holdfast.errors import BadRecord
from tests.auditing.on_disk import MOVES, THREAT
from tests.auditing.tiny import linear


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "AT_ONCE", 7)


@pytest.fixture
def labelled(data: hf.data.ImageSet) -> tuple[Tensor, Tensor]:
    """Return some bytes, and their labels."""
    return data.images[:24], data.labels[:24]


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the points of however few images on disk."""
    monkeypatch.setattr(points, "IN_MEMORY", 0)


def found_by(network: nn.Module, images: Any, labels: Tensor, **options: Any) -> Progress:
    return run_moves(Subject(network, network, images, labels, batch=8), MOVES, **options)[0]


def alike(one: Progress, other: Progress) -> None:
    """Hold two audits to one another, to the last digit."""
    for name in ("broken_by", "margin", "slope"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert torch.equal(one.best[:], other.best[:])
    assert [spent[:2] for spent in one.spent] == [spent[:2] for spent in other.spent]


def test_an_audit_of_stored_images_reports_what_one_in_memory_does(
    labelled: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, (pixels, labels) = linear(), labelled
    monkeypatch.setattr(schedule, "LEAST", 0.0)  # passes, else as many as for a thousand images
    stored = StoredImages.of(pixels)
    first = hf.audit(network, stored[:], labels, THREAT, "fast", batch=8)
    monkeypatch.setattr(points, "IN_MEMORY", 0)
    second = hf.audit(network, stored, labels, THREAT, "fast", batch=8)
    assert isinstance(second.best, PointsOnDisk)
    assert torch.equal(first.broken_by, second.broken_by)
    assert torch.equal(first.margin, second.margin)
    assert torch.equal(first.adversarial, second.adversarial)
    assert torch.equal(first.best, second.best[:])
    assert 0 < int(first.broken.sum()) < len(labels)
    assert (first.checks, first.images_fingerprint) == (second.checks, second.images_fingerprint)
    assert (first.on_disk, second.on_disk) == (None, (21, 21 * 64 * 4))
    assert "points of images" not in str(first)
    assert "\npoints of images: 21 on disk, 0.0 GB: all images take more than 512 MiB\n" in str(second)
    origin = Origin("linear", "", "digits", "", 8, "", {})
    assert as_json(first, origin)["points_on_disk"] is None
    assert as_json(second, origin)["points_on_disk"]["images"] == 21


@dataclass
class Killed:
    """Stops an audit after so many batches, each of which is followed by a checkpoint."""

    left: int

    def __call__(self, done: int, total: int, words: str) -> None:
        """Count what is told after each batch."""
        self.left -= not words
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("batches", [1, 6])
def test_a_killed_audit_goes_on_from_points_on_disk(
    batches: int, labelled: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, (pixels, labels) = linear(), labelled
    whole = found_by(network, StoredImages.of(pixels)[:], labels)
    monkeypatch.setattr(points, "IN_MEMORY", 0)
    stored = StoredImages.of(pixels)
    with pytest.raises(KeyboardInterrupt):  # what was done since the last checkpoint is in the file, and not named
        found_by(network, stored, labels, folder=tmp_path, tell=Killed(batches))
    alike(whole, found_by(network, stored, labels, folder=tmp_path))
    monkeypatch.setattr(engine, "SAVE_EVERY", -1.0)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(KeyboardInterrupt):
        found_by(network, stored, labels, folder=tmp_path, tell=Killed(batches))
    alike(whole, found_by(network, stored, labels, folder=tmp_path))


@pytest.mark.usefixtures("on_disk")
def test_what_a_checkpoint_names_stays_until_the_next_and_is_used_again(tmp_path: Path) -> None:
    images = torch.rand(4, 1, 2, 2)
    kept = PointsOnDisk.beside(tmp_path / "a.safetensors", images)
    file, rows = tmp_path / "a.points", torch.tensor([1, 3])
    assert file.stat().st_size == 0
    assert torch.equal(kept[:], images)
    for _ in range(3):
        kept[rows] = first = torch.rand(2, 1, 2, 2)
    assert file.stat().st_size == 2 * 16
    kept.fix()
    named = kept.slots.clone(), kept.sums.clone()
    for _ in range(3):
        kept[rows] = torch.rand(2, 1, 2, 2)
    assert file.stat().st_size == 4 * 16
    again = PointsOnDisk.read(tmp_path / "a.safetensors", images, *named, own=False)
    assert torch.equal(again[rows], first)
    kept.fix()
    kept[rows] = last = torch.rand(2, 1, 2, 2)
    assert file.stat().st_size == 4 * 16
    assert torch.equal(kept[torch.tensor([False, True, False, True])], last)
    assert torch.equal(kept[torch.tensor([0, 3])], torch.stack([images[0], last[1]]))


@pytest.mark.usefixtures("on_disk")
def test_points_that_were_changed_cut_off_or_lost_are_refused(labelled: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    pixels, labels = labelled
    stored = StoredImages.of(pixels)
    found_by(linear(), stored, labels, folder=tmp_path)
    checkpoint = next(tmp_path.glob("*.safetensors"))
    file = checkpoint.with_suffix(".points")
    whole = file.read_bytes()
    for damaged, words in ((bytes([whole[0] ^ 1]) + whole[1:], "was changed"), (whole[:-1], "ends before")):
        file.write_bytes(damaged)
        with pytest.raises(BadRecord, match=words):
            read(checkpoint, stored).best[:]
    file.unlink()
    with pytest.raises(BadRecord, match="is missing"):
        read(checkpoint, stored)
