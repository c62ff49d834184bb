"""A few attacked images to be looked at, and what a network made of them: of a row of a table, or out of an audit."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from holdfast.attacks import Attack
from holdfast.attacks.attack import with_seed
from holdfast.auditing import Report
from holdfast.auditing.engine_state import CLEAN, STANDS
from holdfast.data import ImageSet
from holdfast.data.order import permutation
from holdfast.errors import require
from holdfast.evaluation import judge
from holdfast.experiments.seeded_answers import seeded_answers
from holdfast.experiments.trained import Trained
from holdfast.objectives import is_correct
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.types import Images, Labels, Network, Rows

LOOKED_AT = 500
"""Images among which the pictures are chosen; a look at a whole test set would show nothing more."""
SHOWN = 8
"""Images of a kind that are shown of an audit."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """A few images that a network gets right, and what it made of them after an attack."""

    name: str
    images: Images
    attacked: Images
    labels: Labels
    """The class that the network sees in each image: the right one."""
    after: Labels
    """The class that it sees in the attacked one."""
    classes: tuple[str, ...]

    @property
    def fooled(self) -> int:
        """How many of them the network gets wrong after the attack."""
        return int((self.after != self.labels).sum())

    @property
    def gain(self) -> float:
        """What multiplies the changes when they are shown, so that the largest of them is black or white."""
        largest = float((self.attacked - self.images).abs().max()) if len(self.images) else 0.0
        return 0.5 / largest if largest > 0 else 1.0

    @property
    def readings(self) -> list[tuple[str, str]]:
        """What the network sees, before and after, image by image."""
        seen = zip(self.labels.tolist(), self.after.tolist(), strict=True)
        return [(self.classes[before], self.classes[after]) for before, after in seen]


def picture(name: str, model: nn.Module, attack: Attack, data: ImageSet, count: int = 8, seed: int = 0) -> Pictures:
    """Return up to `count` images that the network gets right, attacked; of each class one, before a class has two.

    The seed decides which images are looked at, where the attack starts, and what random defences draw.
    """
    require(count >= 1, f"count = {count}, not 1 or more")
    looked_at = permutation(len(data), "pictures", seed)[:LOOKED_AT].to(data.device)
    with seeded_answers(data.labels.device, seed):
        right = [is_correct(judge(model, part.images), part.labels) for part in data.batches(100, looked_at)]
        chosen = _choice(looked_at[torch.cat(right)], data.labels, count)
        images, labels = data.take(chosen), data.labels[chosen]
        attacked = with_seed(attack, seed)(model, images, labels)
        after = judge(model, attacked).argmax(1) if len(chosen) else labels
    return Pictures(name, images.cpu(), attacked.cpu(), labels.cpu(), after.cpu(), data.classes)


def stored_picture(name: str, network: Trained, attack: Attack, data: ImageSet, folder: Path) -> Pictures:
    """Return the pictures of a network that the folder keeps, or make and keep them."""
    words = fingerprint([attack, data.fingerprint, network.identity])
    path = folder / f"{words}.safetensors"

    def make() -> None:
        made = picture(name, network.load(), attack, data)
        tensors = {"images": made.images, "attacked": made.attacked, "labels": made.labels, "after": made.after}
        write_tensors(path, tensors, pictures=words)

    once(path, make)
    kept = read_tensors(path, "delete it; it will be made again", pictures=words)
    return Pictures(name, **kept, classes=data.classes)


def _choice(candidates: Tensor, labels: Tensor, count: int) -> Tensor:
    """Return `count` of the candidates, the first of every class before any second, sorted by class."""
    if len(candidates) == 0:
        return candidates
    theirs = labels[candidates]
    rank = torch.nn.functional.one_hot(theirs).cumsum(0).gather(1, theirs[:, None])[:, 0]
    chosen = candidates[rank.argsort(stable=True)[:count]]
    return chosen[labels[chosen].argsort(stable=True)]


def looked_at(report: Report) -> dict[str, Rows]:
    """Return the images to look at by kind: the first to fall, those that barely stand, those that stand best."""
    nearness = torch.zeros(len(report.broken_by)) if report.margin is None else report.margin.cpu()
    by_stage, order = report.broken_by.cpu(), nearness.argsort(descending=True, stable=True)
    fallen = order[by_stage[order] > CLEAN]
    standing = order[by_stage[order] == STANDS]
    half = math.ceil(len(standing) / 2)
    return {
        "first to fall": fallen[by_stage[fallen].argsort(stable=True)][:SHOWN],
        "barely standing": standing[:half][:SHOWN],
        "most stubborn": standing[half:].flip(0)[:SHOWN],
    }


def pictures_of(report: Report, model: Network, data: ImageSet) -> dict[str, Pictures]:
    """Return what the attacks did to these images: their breaks, or the points that came nearest to one."""
    shown = {}
    points = report.adversarial if report.best is None else report.best
    device = report.broken_by.device
    for kind, rows in looked_at(report).items():
        if len(rows) == 0:
            continue
        held = rows.to(data.device)
        images, labels, attacked = data.take(held), data.labels[held], points[rows.to(device)]
        after = judge(model, attacked).argmax(1).cpu()
        shown[kind] = Pictures(kind, images.cpu(), attacked.cpu(), labels.cpu(), after, data.classes)
    return shown
