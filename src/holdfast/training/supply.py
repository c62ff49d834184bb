"""The images of a run: those that it trains on, epoch by epoch, extra ones beside its own, and those held out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from holdfast import data
from holdfast.data import ImageSet
from holdfast.data.joined import joined, mixed_order
from holdfast.data.stamp import loaded
from holdfast.errors import require
from holdfast.rng import number
from holdfast.training.run import Run
from holdfast.types import Batch


@dataclass(frozen=True)
class Supply:
    """The images of a run."""

    run: Run
    whole: ImageSet
    """The training images of its data set."""
    extra: ImageSet | None = None
    """Images from elsewhere, of which each batch takes its share."""
    workers: int = 0
    """How many processes make batches of images that are not in memory; whatever it is, they are the same."""

    @cached_property
    def name(self) -> str:
        """A short name made of all the images."""
        return self.whole.fingerprint if self.extra is None else f"{self.whole.fingerprint}+{self.extra.fingerprint}"

    @cached_property
    def _divided(self) -> tuple[ImageSet, ImageSet | None]:
        return self.whole.split(self.run.held_out, self.run.seed) if self.run.held_out else (self.whole, None)

    @property
    def own(self) -> ImageSet:
        """The images of its data set that are trained on."""
        return self._divided[0]

    @property
    def held_out(self) -> ImageSet | None:
        """The images that are never trained on."""
        return self._divided[1]

    @property
    def count(self) -> int:
        """How many images make an epoch: as many as the run's own, whatever comes beside them."""
        return len(self.own)

    @cached_property
    def images(self) -> ImageSet:
        """All that is trained on, the run's own images first."""
        return self.own if self.extra is None else joined(self.own, self.extra)

    @property
    def per_epoch(self) -> int:
        """How many batches make an epoch."""
        return self.run.batches_of(self.count)

    @property
    def steps(self) -> int:
        """How many batches the run takes."""
        return self.run.steps_on(self.count)

    def batches(self, epoch: int, done: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, but for the first `done`."""
        run = self.run
        drawn = run.order == "drawn"
        order = self.own.order_of(run.seed, epoch) if drawn else torch.arange(self.count, device=self.own.device)
        if self.extra is not None:
            order = mixed_order(order, len(self.extra), run.batch, run.extra_share, run.seed, epoch)
        order = order[done * run.batch :]
        return self.images.batches(run.batch, order, run.augment, number(run.seed, "view", epoch), self.workers)

    def to(self, device: torch.device) -> "Supply":
        """Return them on a device."""
        return replace(self, whole=self.whole.to(device), extra=None if self.extra is None else self.extra.to(device))


def supplied(run: Run, root: Path | str | None, download: bool, workers: int = 0) -> Supply:
    """Return the images of a run from where they are kept."""
    require(run.select is None or run.held_out > 0, "select chooses on images held out: give held_out as well")
    place = data.data_root(root)
    extra = None if run.extra is None else loaded(run.extra, "train", place, download, None)
    return Supply(run, loaded(run.data, "train", place, download, run.limit), extra, workers)
