"""Labelled images, in memory or made on demand: the only form in which holdfast trains and judges on data."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from holdfast.data.image_checks import check_images, check_labels, positions
from holdfast.data.on_demand import ImagesOnDemand
from holdfast.data.order import permutation
from holdfast.data.stored_images import as_float
from holdfast.data.workers import made_by
from holdfast.errors import BadImages, BadLabels, BadValue, require
from holdfast.framing import Framing, framed_pixels
from holdfast.rng import Stream
from holdfast.storage.fingerprint import name_of_tensors
from holdfast.types import Batch, Images, Index, Labels


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images, the class of each, and what the classes are called."""

    pixels: Tensor | ImagesOnDemand
    """Shape (n, c, h, w): float32 in [0, 1], or bytes, which take a quarter of the memory; those of many pictures are
    made when they are asked for."""
    labels: Tensor
    """The class of each image, int64 from 0."""
    classes: tuple[str, ...]
    """The name of each class."""
    framed: str = ""
    """How pictures of other sizes became these images, in words; empty where they did not."""

    def __post_init__(self) -> None:
        if isinstance(self.pixels, Tensor):  # their maker looks at others
            check_images(self.pixels)
        check_labels(self.labels, self.pixels, self.classes)

    @classmethod
    def of(cls, source: Any, classes: Sequence[str] = ()) -> "ImageSet":
        """Return all images of a torch Dataset, a DataLoader or an iterable of (images, labels) pairs, on the CPU.

        They are drawn twice, and refused where they are not the same then; one that can be drawn only once is drawn
        once. Images that are multiples of 1/255 are kept as bytes. Those of a Dataset that take more than 512 MiB are
        not kept, but drawn again when they are asked for. `classes` names the classes (default: as the data name them,
        else numbers).
        """
        from holdfast.data.drawn import drawn  # which reads arrays as `arrays` does, and that makes sets of them

        if isinstance(source, ImageSet):
            return replace(source, classes=tuple(classes)) if classes else source
        images, labels, names = drawn(source)
        return cls(images, labels, tuple(classes) or names)

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"ImageSet({len(self)} images {size}, {len(self.classes)} classes, {self.device})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """The channels, rows and columns of an image."""
        channels, rows, columns = self.pixels.shape[1:]
        return channels, rows, columns

    @property
    def device(self) -> torch.device:
        """Where the images are, or come to."""
        return self.pixels.device

    @property
    def images(self) -> Tensor:
        """All images, shape (n, c, h, w), in memory.

        Raises:
            BadValue: they are made on demand, as there are too many.
        """
        if isinstance(self.pixels, Tensor):
            return self.pixels
        words = f"{self.pixels.nbytes / 2**20:,.0f} MiB of images do not come into memory at once"
        raise BadValue(f"{words}: take(rows) and batches(size) give some of them")

    @cached_property
    def fingerprint(self) -> str:
        """A short name made of the images and labels, which are not to be changed in place."""
        pixels = self.pixels if isinstance(self.pixels, Tensor) else self.pixels.to("cpu")
        return name_of_tensors({"images": pixels, "labels": self.labels})

    def to(self, device: torch.device | str) -> "ImageSet":
        """Return the set on another device; itself where it is there."""
        if torch.device(device) == self.device:
            return self
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def take(self, index: Index | Sequence[int]) -> Images:
        """Return the images at these positions as float32 in [0, 1]."""
        return as_float(self.pixels[positions(index, len(self), self.device)])

    def subset(self, index: Index | Sequence[int]) -> "ImageSet":
        """Return the set of the images at these positions, in that order."""
        found = positions(index, len(self), self.device)
        some = self.pixels[found] if isinstance(self.pixels, Tensor) else self.pixels.at(found)
        return replace(self, pixels=some, labels=self.labels[found])

    def changed(self, change: Callable[[Tensor], Tensor]) -> "ImageSet":
        """Return the set of what `change` makes of the pixels, each image by itself."""
        changed = change(self.pixels) if isinstance(self.pixels, Tensor) else self.pixels.changed(change)
        return replace(self, pixels=changed)

    def split(self, held_out: int, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Return (the rest, `held_out` images): a random division that only the seed decides."""
        require(0 < held_out < len(self), f"held_out = {held_out}: expected 1 to {len(self) - 1} of {len(self)} images")
        order = permutation(len(self), "split", seed)
        return self.subset(order[held_out:].sort().values), self.subset(order[:held_out].sort().values)

    def order_of(self, seed: int, epoch: int) -> Index:
        """Return the random order of one epoch."""
        return permutation(len(self), "epoch", seed, epoch).to(self.device)

    def batches(
        self,
        size: int,
        order: Index | None = None,
        augment: "Augmentation | None" = None,
        epoch_seed: int = 0,
        workers: int = 0,
    ) -> Iterator[Batch]:
        """Yield the images of `order` (default: as they are stored) in batches; the last may be smaller.

        `augment` changes each image in a way that depends on `epoch_seed` and its position in the set only. So many
        processes make batches of images that are not in memory ahead of time, the same ones.
        """
        require(size >= 1, f"size = {size}: a batch has 1 or more images")
        order = torch.arange(len(self), device=self.device) if order is None else order.to(self.device)
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        if workers and isinstance(self.pixels, ImagesOnDemand):
            on_host = self.to("cpu")
            yield from made_by(workers, partial(_batch, on_host, augment, epoch_seed), parts, self.device)
        else:
            yield from (_batch(self, augment, epoch_seed, index) for index in parts)

    @cached_property
    def _by_class(self) -> tuple[Tensor, Tensor, frozenset[int]]:
        """The positions sorted by class, the number of images of each class, the classes without any."""
        counts = self.labels.bincount(minlength=len(self.classes))
        empty = frozenset((counts == 0).nonzero()[:, 0].tolist())
        return self.labels.argsort(stable=True), counts, empty

    def one_of_each(self, labels: Labels, stream: Stream | int) -> Index:
        """Return, for each label, the position of an image of that class, drawn evenly and with replacement.

        A stream draws by its own keys; a seed draws by the place in `labels`.
        """
        order, counts, empty = self._by_class
        for label in sorted(empty.intersection(labels.tolist())) if empty else ():
            raise BadLabels(f"class '{self.classes[label]}' has no image in this set: none can be drawn")
        if isinstance(stream, int):
            stream = Stream.at(torch.arange(len(labels), device=self.device), stream)
        labels = labels.to(self.device)
        chosen = (stream.split("one of each").uniform((1,))[:, 0] * counts[labels]).long()
        return order[(counts.cumsum(0) - counts)[labels] + chosen]


def _batch(data: ImageSet, augment: "Augmentation | None", epoch_seed: int, index: Index) -> Batch:
    """Return the images at these positions of a set, varied."""
    if augment is not None:
        return augment.batch(data, index, epoch_seed)
    return Batch(data.take(index), data.labels[index], index)


@dataclass(frozen=True)
class Augmentation(ABC):
    """How training images are varied from epoch to epoch, each by itself, whatever batch it comes in."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The side of the images that the network sees; None where it is that of the pictures."""

    @abstractmethod
    def batch(self, data: ImageSet, index: Index, epoch_seed: int) -> Batch:
        """Return the images at these positions of a set, varied."""

    @abstractmethod
    def center(self, images: Tensor) -> Tensor:
        """Return what evaluation sees of images: their middle where the network sees less, nothing varied."""


def centered(data: ImageSet, augment: Augmentation) -> ImageSet:
    """Return the images as a network that was trained on crops sees them in evaluation."""
    return data.changed(partial(_centered, augment))


def _centered(augment: Augmentation, images: Tensor) -> Tensor:
    return augment.center(as_float(images))


def framed(data: ImageSet, framing: Framing) -> ImageSet:
    """Return images of one size in another, by way of pictures of 8 bits a channel."""
    channels, kind = data.shape[0], data.pixels.dtype
    words = f"{channels} channels of {kind} cannot be resized or cropped; expected bytes of 1 or 3"
    require(kind == torch.uint8 and channels in (1, 3), words, BadImages)
    return replace(data.changed(partial(framed_pixels, framing=framing)), framed=str(framing))
