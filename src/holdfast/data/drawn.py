"""All images of a torch Dataset, a DataLoader or an iterable of pairs, drawn twice to see that they stay the same.

An audit is of fixed images: it shows them again and again, and names them by their place. What shuffles or augments
gives others at the second draw, which is compared piece by piece and not kept.
"""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from holdfast.data.arrays import MOST_CLASSES
from holdfast.data.pairs import LABELS, Part, part_of
from holdfast.errors import BadImages, BadLabels, MissingData, require, shown

TOGETHER = 256
"""How many single images are looked at as one piece."""
ROUNDING = 6e-8
"""How far k/255 lies from itself in float32, divided or multiplied by 1/255."""
OUTSIDE = 1e-6
"""How far outside [0, 1] a pixel may be by rounding; it is clamped."""
FIXED = "an audit needs fixed images: give the loader shuffle=False and the data set a transform without chance"


def drawn(source: Any) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return images (bytes where they are multiples of 1/255, else float32), labels, and the names of the classes.

    Raises:
        BadImages, BadLabels: they are of another kind or range, or the data shuffle or augment.
        MissingData: there are none.
    """
    with torch.random.fork_rng([]):  # around both draws: the state of one alone would make the other its like
        parts = list(_parts(source))
        require(sum(len(part.labels) for part in parts) > 0, "there are no images in the data", MissingData)
        for beside in dict.fromkeys(part.beside for part in parts if part.beside):
            _tell(f"an entry of the data holds {beside}: the rest is not read")
        grey, labels = all(part.grey for part in parts), torch.cat([part.labels for part in parts])
        images = _joined([part.images for part in parts])
        if isinstance(source, Iterator):
            _tell("the data can be drawn only once, so nobody could see whether they shuffle or augment")
        else:
            _compare(_parts(source), images, labels)
    return (images[:, :1].contiguous() if grey else images), labels, _classes(source, labels)


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
    return Part(_in_bytes(_in_range(images)), labels, all(part.grey for part in parts), beside)


def _in_range(images: Tensor) -> Tensor:
    """Return images in [0, 1]; say of others what they are and what to do."""
    if images.dtype == torch.uint8 or images.numel() == 0:
        return images
    low, high = (float(bound) for bound in images.aminmax())
    words = "images of the data are NaN or infinite in places; holdfast wants [0, 1]"
    require(math.isfinite(low) and math.isfinite(high), words, BadImages)
    remedy = (
        "divide them by 255"
        if low >= 0
        else "leave Normalize(mean, std) out of the transform and put it into the network: "
        "torch.nn.Sequential(hf.Normalized(mean, std), network)"
    )
    within = low >= -OUTSIDE and high <= 1 + OUTSIDE
    require(within, f"images of the data are in [{low:.4g}, {high:.4g}]; holdfast wants [0, 1]: {remedy}", BadImages)
    return images.clamp(0, 1)


def _in_bytes(images: Tensor) -> Tensor:
    """Return images that are multiples of 1/255, as float32 rounds them, as bytes; others as they are."""
    if images.dtype == torch.uint8:
        return images
    nearest = (images * 255).round()
    return nearest.byte() if bool(((nearest / 255 - images).abs() <= ROUNDING).all()) else images


def _in_floats(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _joined(pieces: list[Tensor]) -> Tensor:
    """Return the pieces as one tensor; each is let go of once it is copied, so that two wholes are never held."""
    kind = torch.uint8 if all(piece.dtype == torch.uint8 for piece in pieces) else torch.float32
    whole = torch.empty((sum(map(len, pieces)), *pieces[0].shape[1:]), dtype=kind)
    place = len(whole)
    while pieces:
        piece = pieces.pop()
        whole[place - len(piece) : place] = piece if kind == torch.uint8 else _in_floats(piece)
        place -= len(piece)
    return whole


def _compare(again: Iterator[Part], images: Tensor, labels: Tensor) -> None:
    """Refuse data whose second draw is not the first."""
    place, different, before, after = 0, None, Counter[bytes](), Counter[bytes]()
    for part in again:
        here = slice(place, place + len(part.labels))
        place += len(part.labels)
        if different is None and place <= len(labels) and _same(part, images[here], labels[here]):
            continue
        different = here.start if different is None else different
        before.update(_digests(images[here], labels[here]))
        after.update(_digests(part.images, part.labels))
    words = f"the data give {len(labels)} images, and {place} when they are drawn again: {FIXED}"
    require(place == len(labels), words, BadImages)
    if different is not None:
        how = "shuffle: they come in another order" if before == after else "augment or change: they are others"
        raise BadImages(f"the data {how} when they are drawn again, from image {different} on; {FIXED}")


def _same(part: Part, images: Tensor, labels: Tensor) -> bool:
    pixels = part.images if part.images.dtype == images.dtype else _in_floats(part.images)
    return pixels.dtype == images.dtype and torch.equal(pixels, images) and torch.equal(part.labels, labels)


def _digests(images: Tensor, labels: Tensor) -> list[bytes]:
    """Return a short name of each image and its label."""
    pixels = (_in_bytes(images) if images.dtype != torch.uint8 else images).numpy()
    each = zip(pixels, labels.tolist(), strict=True)
    return [hashlib.blake2b(image.tobytes(), digest_size=8, salt=b"%d" % label).digest() for image, label in each]


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
