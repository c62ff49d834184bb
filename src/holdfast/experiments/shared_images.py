"""Attacked images of one network that many rows are judged on: they are made once, and kept."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast.attacks import Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.evaluation import Cell, Outcomes, judge, name_of_cell, read_outcomes, write_outcomes
from holdfast.experiments.trained import Trained
from holdfast.passes import counting
from holdfast.storage.files import once
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


def shared_images(attack: Attack, source: Trained, seed: int, data: ImageSet, folder: Path, tell: Tell) -> Shared:
    """Return the images of a data set attacked on a network, from the folder where it keeps them."""
    cell = Cell("source", "source", attack, seed)
    name = name_of_cell(cell, {"source": source.identity}, data, BATCH)
    path = folder / f"{name}.safetensors"

    def make() -> None:
        began, parts, done, model = time.monotonic(), [], 0, source.load()
        with counting() as spent:
            for part in data.batches(BATCH):
                parts.append(with_seed(attack, seed)(model, part.images.detach(), part.labels).cpu())
                done += len(part.labels)
                tell(done, len(data), "")
        cost = torch.tensor([time.monotonic() - began, spent.forwards, spent.backwards], dtype=torch.float64)
        write_tensors(path, {"images": torch.cat(parts), "cost": cost}, images=name)

    once(path, make)
    kept = read_tensors(path, "delete it; it will be made again", images=name)
    seconds, forwards, backwards = kept["cost"].tolist()
    return Shared(kept["images"], seconds, int(forwards), int(backwards))


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
        write_outcomes(path, Outcomes(torch.cat(logits), data.labels.cpu(), torch.cat(distances), *spent))

    once(path, make)
    return read_outcomes(path)
