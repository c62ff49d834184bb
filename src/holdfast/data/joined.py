"""Two sets of images as one, and the order in which batches take their shares of both.

Extra images, most of them generated, are how the robust accuracy of a fixed data set is raised (Gowal et al., 2021;
Wang et al., 2023): a share of each batch is drawn from them, and an epoch is as long as without them.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from holdfast.data.image_set import ImageSet
from holdfast.data.on_demand import ImagesOnDemand
from holdfast.data.order import permutation
from holdfast.errors import BadImages, BadLabels, require
from holdfast.rng import number
from holdfast.types import Index


def joined(own: ImageSet, extra: ImageSet) -> ImageSet:
    """Return the images of both sets, those of `own` first, with its classes.

    Raises:
        BadImages: the images are of different shapes.
        BadLabels: the classes of the extra images are others.
    """
    words = f"extra images have shape {extra.shape}, those of the data set {own.shape}"
    require(extra.shape == own.shape, words, BadImages)
    numbered = extra.classes == tuple(map(str, range(len(extra.classes))))
    fits = extra.classes == own.classes or (numbered and len(extra.classes) <= len(own.classes))
    words = f"extra images have the classes {_few(extra.classes)}, the data set has {_few(own.classes)}"
    require(fits, words, BadLabels)
    if isinstance(own.pixels, Tensor) and isinstance(extra.pixels, Tensor):
        same = extra.images.dtype == own.images.dtype
        parts = [each.images if same else each.take(torch.arange(len(each))) for each in (own, extra)]
        pixels: Tensor | ImagesOnDemand = torch.cat(parts)
    else:
        numbers = torch.arange(len(own) + len(extra))
        pixels = ImagesOnDemand(Joined(own.to("cpu"), extra.to("cpu")), numbers, own.device)
    return replace(own, pixels=pixels, labels=torch.cat([own.labels, extra.labels]))


@dataclass(frozen=True)
class Joined:
    """What makes the images of two sets, those of the first counted first."""

    own: ImageSet
    extra: ImageSet

    @property
    def row(self) -> tuple[int, ...]:
        """The channels, rows and columns of an image."""
        return self.own.shape

    @property
    def dtype(self) -> torch.dtype:
        """Bytes where both are bytes."""
        kinds = {self.own.pixels.dtype, self.extra.pixels.dtype}
        return torch.uint8 if kinds == {torch.uint8} else torch.float32

    def read(self, rows: Index) -> Tensor:
        """Return the images of these numbers."""
        found = torch.empty(len(rows), *self.row, dtype=self.dtype)
        second = rows >= len(self.own)
        for data, here, first in ((self.own, ~second, 0), (self.extra, second, len(self.own))):
            place = rows[here] - first
            found[here] = data.pixels[place] if self.dtype == torch.uint8 else data.take(place)
        return found


def _few(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:5]) + (f" and {len(classes) - 5} more" if len(classes) > 5 else "")


def mixed_order(own: Index, extra: int, batch: int, share: float, *words: object) -> Index:
    """Return an order of as many images as `own`, in each batch of which a share is extra, at random places.

    The first of `own` come in their order; the `extra` images, numbered after all of them, are drawn evenly, none
    twice in a batch as long as there are enough. Only `words` decide.
    """
    count, taken, parts = len(own), 0, []
    generator = torch.Generator().manual_seed(number("extra", *words))
    drawn = torch.randint(extra, (count,), generator=generator)
    for start in range(0, count, batch):
        size = min(batch, count - start)
        rest = size - extra_of(share, size)
        others = count + apart(drawn[start : start + size - rest], extra)
        mixed = torch.cat([own[taken : taken + rest].cpu(), others])
        parts.append(mixed[permutation(size, "mixed", *words, start)])
        taken += rest
    return torch.cat(parts).to(own.device)


def extra_of(share: float, size: int) -> int:
    """Return how many of a batch of this size are extra: the share of it, but for one image at least."""
    return min(round(share * size), size - 1)


def apart(drawn: Index, count: int) -> Index:
    """Return numbers below `count` of which each that came before is moved on to the next that did not.

    Each number stays as likely as any other. Once all have come, they come again.
    """
    found: list[int] = []
    seen: set[int] = set()
    for place in drawn.tolist():
        while place in seen:
            place = (place + 1) % count
        found.append(place)
        seen.add(place)
        if len(seen) == count:
            seen.clear()
    return torch.tensor(found, dtype=drawn.dtype)
