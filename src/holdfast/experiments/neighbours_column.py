"""A classifier of nearest neighbours in a layer's space, judged as a network is (Cover and Hart, 1967).

Near means a high cosine of the features. Each of the k nearest training images has one vote; of classes with as many
votes the smallest label goes first.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.analysis.features import directions
from holdfast.data import ImageSet
from holdfast.evaluation import Cell, Outcomes, computed, read_outcomes, write_outcomes
from holdfast.experiments.columns import Neighbours
from holdfast.experiments.seeded_answers import seeded_answers
from holdfast.experiments.trained import Trained
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.loop import Tell
from holdfast.types import Images, Logits

BATCH = 250


class NearestVote(nn.Module):
    """A network whose logits are the votes of the nearest images of a bank, in the space of a layer of another."""

    def __init__(self, network: nn.Module, layer: str, k: int, bank: ImageSet) -> None:
        super().__init__()
        self.network, self.layer, self.k = network, layer, min(k, len(bank))
        self.labels, self.classes = bank.labels, len(bank.classes)
        self.bank = torch.cat([directions(network, part.images, layer) for part in bank.batches(BATCH)])

    def forward(self, images: Images) -> Logits:
        """Return the votes of each class, shape (n, classes)."""
        return votes(directions(self.network, images, self.layer), self.bank, self.labels, self.k, self.classes)


def votes(points: Tensor, bank: Tensor, labels: Tensor, k: int, classes: int) -> Logits:
    """Return how many of the k points of the bank that are nearest in direction are of each class, ties broken.

    A class has less than half a vote less than the one before it, so no two are equal.
    """
    nearest = (points @ bank.T).topk(k, dim=1).indices
    counts = F.one_hot(labels[nearest], classes).sum(1)
    return counts.float() - torch.arange(classes, device=counts.device) / (2 * classes)


def nearest(
    column: Neighbours, network: Trained, data: ImageSet, bank: ImageSet, seed: int, folder: Path, tell: Tell
) -> Outcomes:
    """Judge the votes on a column's images, or read what was found; what was interrupted goes on."""
    name = fingerprint([column, seed, data.fingerprint, bank.fingerprint, network.identity])
    path = folder / f"{name}.safetensors"

    def make() -> None:
        tell(0, len(data), f"the {column.k} nearest of {len(bank)} training images")
        model, cell, part = network.load(), Cell("votes", "network", column.attack, seed), path.with_suffix(".part")
        with seeded_answers(data.labels.device, seed) as anew:
            networks = {"votes": NearestVote(model, column.layer, column.k, bank), "network": model}
            write_outcomes(path, computed(cell, networks, data, part, BATCH, tell, anew))
        part.unlink(missing_ok=True)

    once(path, make)
    return read_outcomes(path)
