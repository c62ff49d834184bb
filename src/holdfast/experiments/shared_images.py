"""Attacked images of one network that many rows are judged on: they are made once, and kept."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast.attacks import Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.evaluation import SAVE_EVERY, Cell, Outcomes, judge, name_of_cell, read_outcomes, write_outcomes
from holdfast.experiments.trained import Trained
from holdfast.passes import counting
from holdfast.storage.files import once
from holdfast.storage.measured import Measured, here, of_tensors, together
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.training.loop import Tell
from holdfast.types import Images

BATCH = 250
"""Images attacked at once, as everywhere in tables."""


@dataclass(frozen=True)
class Shared:
    """Attacked images, and what they cost."""

    images: Images
    seconds: float
    forwards: int
    backwards: int
    measured: Measured
    """The hardware and the versions that they were made on."""


def shared_images(attack: Attack, source: Trained, seed: int, data: ImageSet, folder: Path, tell: Tell) -> Shared:
    """Return the images of a data set attacked on a network, from the folder where it keeps them.

    An interrupted attack goes on from its last saved batch.
    """
    cell = Cell("source", "source", attack, seed)
    name = name_of_cell(cell, {"source": source.identity}, data, BATCH)
    path = folder / f"{name}.safetensors"
    part = path.with_suffix(".part")
    once(path, lambda: _attack(with_seed(attack, seed), source, data, _Files(path, part, name), tell))
    with suppress(OSError):  # what is finished is read in a place too where nothing may be removed
        part.unlink()
    return _read(path, name)


@dataclass(frozen=True)
class _Files:
    """Where attacked images are kept when all are there and on the way, and the name that both are signed with."""

    whole: Path
    part: Path
    name: str


def _attack(attack: Attack, source: Trained, data: ImageSet, files: _Files, tell: Tell) -> None:
    nothing = Shared(torch.empty(0, *data.shape), 0.0, 0, 0, Measured())
    begun = _read(files.part, files.name) if files.part.exists() else nothing
    parts, seconds, forwards, backwards = [begun.images], begun.seconds, begun.forwards, begun.backwards
    done, model, saved = len(begun.images), source.load(), time.monotonic()
    measured = together([begun.measured, here(data.labels.device)])
    order = torch.arange(done, len(data), device=data.labels.device)
    for batch in data.batches(BATCH, order) if len(order) else ():
        began = time.monotonic()
        with counting() as spent:
            parts.append(attack(model, batch.images.detach(), batch.labels).cpu())
        seconds, done = seconds + time.monotonic() - began, done + len(batch.labels)
        forwards, backwards = forwards + spent.forwards, backwards + spent.backwards
        tell(done, len(data), "")
        if time.monotonic() - saved > SAVE_EVERY and done < len(data):
            _write(files.part, files.name, Shared(torch.cat(parts), seconds, forwards, backwards, measured))
            saved = time.monotonic()
    _write(files.whole, files.name, Shared(torch.cat(parts), seconds, forwards, backwards, measured))


def _write(path: Path, name: str, shared: Shared) -> None:
    cost = torch.tensor([shared.seconds, shared.forwards, shared.backwards], dtype=torch.float64)
    tensors = {"images": shared.images, "cost": cost}
    write_tensors(path, tensors, images=name, measured=shared.measured.word)


def _read(path: Path, name: str) -> Shared:
    kept = read_tensors(path, "delete it; it will be made again", images=name)
    seconds, forwards, backwards = kept["cost"].tolist()
    return Shared(kept["images"], seconds, int(forwards), int(backwards), of_tensors(path))


def judged(cell: Cell, networks: Mapping[str, Trained], data: ImageSet, place: Path, tell: Tell) -> Outcomes:
    """Return what `holdfast.outcomes` would of a cell, or read what was found; the images are the shared ones.

    Answers lie in the folder `outcomes` of `place`, under the same name as there, and images in its `attacked`.
    """
    attack = cell.attack
    assert attack is not None, "clean images are attacked by nobody"
    identities = {name: each.identity for name, each in networks.items()}
    path = place / "outcomes" / f"{name_of_cell(cell, identities, data, BATCH)}.safetensors"

    def make() -> None:
        shared = shared_images(attack, networks[cell.attacked], cell.seed, data, place / "attacked", tell)
        model, logits, distances = networks[cell.judged].load(), [], []
        for part, attacked in zip(data.batches(BATCH), shared.images.split(BATCH), strict=True):
            attacked = attacked.to(part.images.device)
            logits.append(judge(model, attacked).cpu())
            distances.append(attack.threat.distance(attacked, part.images).cpu())
        spent = (shared.seconds, shared.forwards, shared.backwards)
        measured = together([shared.measured, here(data.labels.device)])
        write_outcomes(path, Outcomes(torch.cat(logits), data.labels.cpu(), torch.cat(distances), *spent, measured))

    once(path, make)
    return read_outcomes(path)
