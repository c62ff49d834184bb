"""A bank: the iter_FGSM images that a finished run's network was fooled with, for eps 1/255, 2/255, … (paper 002, 6).

Cascade adversarial training (Na, Ko, Mukhopadhyay, 2017) shows them to another network. With steps of 1/255 from images
in bytes they are bytes themselves, so a byte keeps them exactly: 16 eps of 60,000 images 3x24x24 take 1.66 GB, kept in
one file in the run's folder, mapped into memory, written once (in several sittings, if need be) and checked whenever
it is opened.
"""

import errno
import hashlib
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from holdfast.data import ImageSet
from holdfast.errors import BadRecord, BadValue, HoldfastError, NotWritten, require
from holdfast.methods.bank_images import climbs
from holdfast.methods.finished_classifier import finished_classifier, shown_shape
from holdfast.methods.method import Finished, Origin
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.naming import naming
from holdfast.storage.signed import read_json, write_json
from holdfast.storage.weights_name import name_of_weights
from holdfast.types import Images, Index, Labels, PerImage

CHUNK = 500
"""Images attacked at once while a bank is made."""


@dataclass(frozen=True)
class SavedImages:
    """Attacked images of another run, in place of an attack: iter_FGSM on the training images' middle crops."""

    run: Origin
    """The defended run whose network is attacked; it is trained first."""
    largest: int = 16
    """The largest eps, in 255ths; every whole number from 1 up to it is saved."""

    def __post_init__(self) -> None:
        """Refuse eps that are none."""
        require(1 <= self.largest <= 255, f"largest = {self.largest}, not from 1 to 255 (of 255)")


class Bank(nn.Module):
    """Saved images of every eps and the clean images under them, in bytes; not part of any saved state."""

    saved: Tensor
    clean: Tensor

    def __init__(self, saved: Tensor, clean: Tensor) -> None:
        super().__init__()
        self.register_buffer("saved", saved, persistent=False)
        self.register_buffer("clean", clean, persistent=False)

    def draw(self, index: Index, size: PerImage) -> tuple[Images, Images]:
        """Return, for these positions of the training set, saved images and the clean ones under them.

        `size` in [0, 1] is a share of the largest eps; the next whole eps above it is taken, as in the released code.
        """
        largest = len(self.saved)
        level = (size * largest).long().clamp_max(largest - 1)
        index = index.to(self.saved.device)
        scale = torch.full((), 255.0, device=self.saved.device)
        return self.saved[level, index].float() / scale, self.clean[index].float() / scale


def banks(adversaries: Iterable[object], train_set: ImageSet, finished: Finished) -> dict[str, Bank]:
    """Return the bank of each `SavedImages`, by its place among the adversaries; what is missing is made.

    All are checked before any is made, which may take an hour.
    """
    saved = {place: adversary for place, adversary in enumerate(adversaries) if isinstance(adversary, SavedImages)}
    for adversary in saved.values():
        check_source(adversary.run, train_set, finished)
    return {f"bank{place}": bank(adversary, train_set, finished) for place, adversary in saved.items()}


def check_source(run: Origin, train_set: ImageSet, finished: Finished) -> None:
    """Refuse a run that sees images of another size than the run that begins, or whose network is no classifier."""
    saved, own = tuple(finished.seen(run, train_set.images[:1]).shape[1:]), shown_shape(train_set, finished)
    require(saved == own, f"the saved images are {saved}, the run's {own}")
    finished_classifier(run, train_set, finished)


def bank(saved: SavedImages, train_set: ImageSet, finished: Finished) -> Bank:
    """Open the bank of a run for these training images, or make it.

    Raises:
        BadRecord: its file was changed, or it was made with other weights than the run has now.
        BadValue: the training images are not bytes.
    """
    if train_set.images.dtype != torch.uint8:
        raise BadValue("images are saved as bytes, but the training images are floating point: they would be rounded")
    clean = finished.seen(saved.run, train_set.images)
    model = finished.network(saved.run)
    said = {
        "weights": name_of_weights(model),
        "data": train_set.fingerprint,
        "shape": [saved.largest, *clean.shape],
    }
    path = finished.folder(saved.run) / f"bank-{fingerprint([said['data'], said['shape']])}.bytes"
    told = path.with_suffix(".json")
    once(told, lambda: write(path, model, clean, train_set.labels, said))
    check(path, read_json(told, f"delete it and {path.name}; they are made again"), said)
    pixels = torch.from_file(str(path), shared=False, size=saved.largest * clean.numel(), dtype=torch.uint8)
    return Bank(pixels.view(saved.largest, *clean.shape).to(train_set.device), clean)


def check(path: Path, there: dict[str, Any], said: dict[str, Any]) -> None:
    """Refuse a bank of other weights, or one whose bytes are not those that were written."""
    remedy = f"delete {path} and its .json; they are made again"
    other = f"{path} was made with other weights than its run has now: {remedy}"
    require({name: there.get(name) for name in said} == said, other, BadRecord)
    whole = path.exists() and checksum(path) == there.get("checksum")
    require(whole, f"{path} is missing or was changed since it was written: {remedy}", BadRecord)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, model: nn.Module, clean: Tensor, labels: Labels, said: dict[str, Any]) -> None:
    """Write every image at every eps; one that was interrupted goes on where it was."""
    part, told = path.with_suffix(".part"), path.with_suffix(".part.json")
    if path.exists() and told.exists():  # it was whole, but not yet signed
        path.replace(part)
    digests = begun(part, told, said)
    try:
        fill(part, told, digests, model, clean, labels, said)
    except NotWritten:
        raise  # there may be room next time
    except HoldfastError:
        if not digests:  # the network cannot be attacked, and will not be next time
            part.unlink(missing_ok=True)
            told.unlink(missing_ok=True)
        raise
    part.replace(path)
    write_json(path.with_suffix(".json"), said | {"checksum": checksum(path)})
    told.unlink()


def fill(
    part: Path, told: Path, digests: list[str], model: nn.Module, clean: Tensor, labels: Labels, said: dict[str, Any]
) -> None:
    """Write the images behind those that have digests, some at a time, and say after each time how far it is."""
    with naming(part), part.open("r+b" if digests else "w+b") as file:
        reserve(file, math.prod(said["shape"]))
        for first in range(CHUNK * len(digests), len(clean), CHUNK):
            some = slice(first, first + CHUNK)
            digests.append(put(file, climbs(model, clean[some], labels[some], said["shape"][0]), first, said))
            file.flush()
            os.fsync(file.fileno())
            write_json(told, said | {"digests": digests})


def reserve(file: BinaryIO, size: int) -> None:
    """Take the room for a whole bank at once, so that a full disk is known before hours of attacks."""
    before = os.fstat(file.fileno()).st_size
    try:
        if sys.platform == "linux":
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as fault:
        if fault.errno != errno.EOPNOTSUPP:
            file.truncate(before)  # it took what there was
            raise
    file.truncate(size)  # as long as it will be, also where no room can be reserved: `begun` expects that


def put(file: BinaryIO, levels: Iterable[Tensor], first: int, said: dict[str, Any]) -> str:
    """Write the images from `first` on at each eps where they belong, and return the SHA-256 of all of them."""
    _, count, *image = said["shape"]
    digest = hashlib.sha256()
    for level, attacked in enumerate(levels):
        pixels = attacked.cpu().numpy().tobytes()
        file.seek((level * count + first) * math.prod(image))
        file.write(pixels)
        digest.update(pixels)
    return digest.hexdigest()


def begun(part: Path, told: Path, said: dict[str, Any]) -> list[str]:
    """Return the SHA-256 of each part of an interrupted bank of the same weights and images.

    Raises:
        BadRecord: it holds other bytes now than were written.
    """
    if not (part.exists() and told.exists()):
        return []
    remedy = f"delete {part} and {told.name}; the bank begins anew"
    there = read_json(told, remedy)
    if not said.items() <= there.items():
        return []
    digests = list(there["digests"])
    levels, count, *image = said["shape"]
    size, changed = math.prod(image), f"{part} was changed since it was written: {remedy}"
    require(part.stat().st_size == levels * count * size, changed, BadRecord)
    with part.open("rb") as file:
        for number, written in enumerate(digests):
            first, digest = number * CHUNK, hashlib.sha256()
            for level in range(levels):
                file.seek((level * count + first) * size)
                digest.update(file.read((min(first + CHUNK, count) - first) * size))
            require(digest.hexdigest() == written, changed, BadRecord)
    return digests
