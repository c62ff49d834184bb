"""All images of a torch Dataset, a DataLoader or an iterable of pairs, drawn twice to see that they stay the same.

An audit is of fixed images: it shows them again and again, and names them by their place. What shuffles or augments
gives others at the second draw, which is compared image by image and not kept.
"""

import logging
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from holdfast.data.arrays import MOST_CLASSES
from holdfast.data.drawn_on_demand import by_place, check_same, drawn_later, is_large, kind_of, names_of
from holdfast.data.on_demand import ImagesOnDemand
from holdfast.data.pairs import LABELS, Part, part_of
from holdfast.data.ranges import in_bytes, in_floats, in_range
from holdfast.errors import BadImages, BadLabels, MissingData, require, shown

TOGETHER = 256
"""How many single images are looked at as one piece."""


def drawn(source: Any) -> tuple[Tensor | ImagesOnDemand, Tensor, tuple[str, ...]]:
    """Return images (bytes where they are multiples of 1/255, else float32), labels, and the names of the classes.

    Raises:
        BadImages, BadLabels: they are of another kind or range, or the data shuffle or augment.
        MissingData: there are none.
    """
    with torch.random.fork_rng([]):  # around both draws: the state of one alone would make the other its like
        places = by_place(source)
        large = places is not None and is_large(places)
        names, parts = _first_draw(source, large)
        labels = torch.cat([part.labels for part in parts]) if parts else torch.empty(0)
        require(len(labels) > 0, "there are no images in the data", MissingData)
        for beside in dict.fromkeys(part.beside for part in parts if part.beside):
            _tell(f"an entry of the data holds {beside}: the rest is not read")
        if isinstance(source, Iterator):
            _tell("the data can be drawn only once, so nobody could see whether they shuffle or augment")
        else:
            check_same(names, b"".join(names_of(part.images, part.labels) for part in _parts(source)))
    grey, pieces = all(part.grey for part in parts), [part.images for part in parts]
    parts.clear()  # so that `_joined` can let go of each piece
    images = drawn_later(places, pieces, grey, names) if large else _joined(pieces, grey)
    return images, labels, _classes(source, labels)


def _first_draw(source: Any, large: bool) -> tuple[bytes, list[Part]]:
    """Return the short names of all images, and all parts; of many images without the images."""
    names, parts = bytearray(), []
    for part in _parts(source):
        names += names_of(part.images, part.labels)
        parts.append(part._replace(images=part.images[:0].clone()) if large else part)
    return bytes(names), parts


def _tell(words: str) -> None:
    logging.getLogger("holdfast").warning("holdfast: %s", words)


def _entries(source: Any) -> Iterator[Any]:
    """Yield the entries; one without an iterator of its own, or whose places do not end, by its places."""
    named = "; hf.load(NAME, 'test') reads a set by its name" if isinstance(source, str) else ""
    words = f"the data are {shown(source)}; give a Dataset, a DataLoader, or (images, labels) pairs{named}"
    fits = hasattr(source, "__iter__") or hasattr(source, "__getitem__")
    require(fits and not isinstance(source, str | bytes | Tensor | type), words, BadImages)
    if hasattr(source, "__iter__") or not hasattr(source, "__len__"):
        yield from source
    else:
        yield from map(source.__getitem__, range(len(source)))


def _parts(source: Any) -> Iterator[Part]:
    """Yield the images in pieces of one shape, checked, as bytes where they can be."""
    waiting: list[Part] = []
    shape, count = None, 0
    for part in chain(map(part_of, _entries(source)), (None,)):
        if part is not None:
            shape = shape or part.images.shape[1:]
            _check_shape(part, shape, count)
            count += len(part.labels)
            waiting.append(part)
        if waiting and (part is None or sum(len(each.labels) for each in waiting) >= TOGETHER):
            yield _piece(waiting)
            waiting = []


def _check_shape(part: Part, shape: torch.Size, count: int) -> None:
    """Refuse an image of another shape than the first."""
    own, first = (f"{'x'.join(map(str, size))}" for size in (part.images.shape[1:], shape))
    remedy = "a transform such as Compose([Resize(256), CenterCrop(224), ToTensor()]) makes them so"
    words = f"image {count} of the data is {own}, but the first is {first}: all images have one size; {remedy}"
    require(own == first, words, BadImages)


def _piece(parts: list[Part]) -> Part:
    """Join some parts into one, with its pixels and labels looked at."""
    images, labels = torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
    beside = next((part.beside for part in parts if part.beside), "")
    least = int(labels.min()) if len(labels) else 0
    remedy = "-1 often means that a split has no labels" if least == -1 else "classes count from 0"
    require(least >= 0, f"a label of the data is {least}: {remedy}", BadLabels)
    return Part(in_bytes(in_range(images)), labels, all(part.grey for part in parts), beside)


def _joined(pieces: list[Tensor], grey: bool) -> Tensor:
    """Return the pieces as one tensor; each is let go of once it is copied, so that two wholes are never held."""
    kind, (channels, *sides) = kind_of(pieces), pieces[0].shape[1:]
    whole = torch.empty((sum(map(len, pieces)), 1 if grey else channels, *sides), dtype=kind)
    place = len(whole)
    while pieces:
        piece = pieces.pop()
        shown = piece[:, :1] if grey else piece
        whole[place - len(piece) : place] = shown if kind == torch.uint8 else in_floats(shown)
        place -= len(piece)
    return whole


def _classes(source: Any, labels: Tensor) -> tuple[str, ...]:
    """Return the names that the data give their classes, else numbers as far as the labels go."""
    highest = int(labels.max())
    require(highest < MOST_CLASSES, f"a label of the data is {highest}: classes count from 0", BadLabels)
    return _named(source) or tuple(str(label) for label in range(max(2, highest + 1)))


def _named(source: Any) -> tuple[str, ...]:
    """Return the names of classes of torchvision's and Hugging Face's data sets, also behind a subset or a loader."""
    while source is not None:
        names = getattr(source, "classes", None)
        features: Any = getattr(source, "features", None)
        for column in LABELS if isinstance(features, dict) else ():
            names = names or getattr(features.get(column), "names", None)
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) and len(names) >= 2:
            return tuple(names)
        source = getattr(source, "dataset", None)
    return ()
