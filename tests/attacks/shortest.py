"""What tests of minimum-norm attacks share: the norms, and how two ways out of a class are compared."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf
from holdfast.objectives import is_correct
from holdfast.threats import Threat

NORMS: dict[type[Threat], float] = {L0: 0.0, L1: 1.0, L2: 2.0, Linf: math.inf}
ALL = pytest.mark.parametrize("norm", NORMS, ids=lambda norm: norm.__name__)


def broken(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    return ~is_correct(network(x), labels)


def median(threat: Threat, ours: Tensor, theirs: Tensor, images: Tensor) -> tuple[float, float]:
    """Return the median length of each, over the images that both changed."""
    lengths = torch.stack([threat.distance(x, images) for x in (ours, theirs)])
    both = (lengths > 0).all(0)
    assert int(both.sum()) >= 5
    mine, other = lengths[:, both].median(1).values.tolist()
    return mine, other


def stacked(by_hand: Callable[..., Tensor], images: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([by_hand(one, int(label)) for one, label in zip(images, labels, strict=True)])


def share_of_same(ours: Tensor, theirs: Tensor) -> float:
    """Return the share of images that are the same; rounding moves a few decisions, and then all that follows."""
    return float(((ours - theirs).abs().flatten(1).amax(1) < 1e-5).float().mean())
