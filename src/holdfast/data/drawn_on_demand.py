"""A torch Dataset whose images do not fit into memory: each is drawn again when it is asked for.

What it gave at first is not kept, but a short name of each image is: an image that is another when it is drawn again
is refused, whenever that happens.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, default_collate

from holdfast.data import on_demand
from holdfast.data.on_demand import ImagesOnDemand
from holdfast.data.pairs import part_of
from holdfast.data.ranges import in_bytes, in_floats, in_range
from holdfast.errors import BadImages, require
from holdfast.types import Index

NAME = 8
"""How many bytes the short name of an image has."""
FIXED = "images must be fixed: give the loader shuffle=False and the data set a transform without chance"


@dataclass(frozen=True, eq=False)
class Drawn:
    """What draws images from a data set by their places."""

    source: Any
    row: tuple[int, ...]
    dtype: torch.dtype
    names: bytes
    """The short names of the images."""

    def read(self, rows: Index) -> Tensor:
        """Return the images at these places.

        Raises:
            BadImages: one is another than at first.
        """
        found = torch.empty(len(rows), *self.row, dtype=self.dtype)
        with torch.random.fork_rng([]):
            for place, number in enumerate(rows.tolist()):
                part = part_of(self.source[number])
                images = in_range(part.images)
                same = names_of(images, part.labels) == self.names[NAME * number : NAME * (number + 1)]
                require(same, f"image {number} of the data is another when it is drawn again; {FIXED}", BadImages)
                found[place] = (in_bytes if self.dtype == torch.uint8 else in_floats)(images)[0, : self.row[0]]
        return found


def by_place(source: Any) -> Any | None:
    """Return what gives single images by their places, where that is what a source draws from; else None.

    That is a Dataset, or the one behind a loader that goes through it in order and puts nothing else into its batches.
    """
    if isinstance(source, DataLoader):
        plain = type(source.sampler) is SequentialSampler and source.collate_fn is default_collate
        return by_place(source.dataset) if plain and source.batch_size is not None else None
    fits = hasattr(source, "__getitem__") and hasattr(source, "__len__")
    other = isinstance(source, IterableDataset | Mapping | str | bytes | Tensor | type)
    return source if fits and not other and len(source) > 0 else None


def is_large(source: Any) -> bool:
    """Say whether the images of a data set, each as large as the first, are too many for memory."""
    with torch.random.fork_rng([]):
        first = part_of(source[0])
    size = in_bytes(first.images).nbytes if len(first.labels) == 1 else 0
    return size * len(source) > on_demand.MOST_IN_MEMORY


def drawn_later(source: Any, pieces: Sequence[Tensor], grey: bool, names: bytes) -> ImagesOnDemand:
    """Return the images of a data set, on demand; the pieces have their shape and type, and no images."""
    channels, *sides = pieces[0].shape[1:]
    maker = Drawn(source, (1 if grey else channels, *sides), kind_of(pieces), names)
    return ImagesOnDemand(maker, torch.arange(len(names) // NAME))


def kind_of(pieces: Sequence[Tensor]) -> torch.dtype:
    """Return bytes where all pieces are bytes, else float32."""
    return torch.uint8 if all(piece.dtype == torch.uint8 for piece in pieces) else torch.float32


def names_of(images: Tensor, labels: Tensor) -> bytes:
    """Return a short name of each image and its label, one after the other."""
    pixels = [in_bytes(image).numpy().tobytes() for image in images]
    each = zip(pixels, labels.tolist(), strict=True)
    return b"".join(hashlib.blake2b(image, digest_size=NAME, salt=b"%d" % label).digest() for image, label in each)


def check_same(first: bytes, again: bytes) -> None:
    """Refuse data whose second draw is not the first, by the short names of both."""
    before, after = ([names[at : at + NAME] for at in range(0, len(names), NAME)] for names in (first, again))
    words = f"the data give {len(before)} images, and {len(after)} when they are drawn again: {FIXED}"
    require(len(before) == len(after), words, BadImages)
    if before != after:
        different = next(number for number, (one, other) in enumerate(zip(before, after, strict=True)) if one != other)
        shuffled = Counter(before) == Counter(after)
        how = "shuffle: they come in another order" if shuffled else "augment or change: they are others"
        raise BadImages(f"the data {how} when they are drawn again, from image {different} on; {FIXED}")
