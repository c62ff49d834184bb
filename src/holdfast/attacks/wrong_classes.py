"""The walk of a targeted attack over the wrong classes (as in AutoAttack: Croce, Hein, 2020): those the clean image
comes nearest to first, and each only with the images that still hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from holdfast.types import Flags, Index, Labels, Logits, Targets


@dataclass(frozen=True)
class Turn:
    """One wrong class an image: its rank from 0, the rows that still hold, and their pairs (true, wanted)."""

    rank: int
    active: Index
    pairs: Targets


def wrong_classes(logits: Logits, labels: Labels, classes: int, held: Flags) -> Iterator[Turn]:
    """Yield the wrong class of each rank, likeliest first, as far as there are so many and any image holds.

    `logits` are the clean images' own. The caller clears `held` on the way: what no longer holds takes no more turns.
    """
    ranked = logits.scatter(1, labels[:, None], -torch.inf).argsort(dim=1, descending=True)
    for rank in range(min(classes, logits.shape[1] - 1)):
        active = held.nonzero()[:, 0]
        if len(active) == 0:
            return
        yield Turn(rank, active, torch.stack([labels[active], ranked[active, rank]], 1))
