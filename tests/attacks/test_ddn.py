"""DDN: the paper's loop written plainly, adv-lib's, and pixels that are to be stored."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import L2
from holdfast.attacks import DDN
from holdfast.objectives import Towards, cross_entropy
from tests.attacks.shortest import broken, median, share_of_same, stacked
from tests.oracles import adv_lib


def ddn_by_hand(network: nn.Module, x0: Tensor, label: int, steps: int) -> Tensor:
    """Return the shortest break of one image that algorithm 1 of the paper meets."""
    best, shortest, x, eps = x0, math.inf, x0, 1.0
    for k in range(steps + 1):
        x = x.clone().requires_grad_()
        logits = network(x[None])[0]
        wrong, delta = int(logits.argmax()) != label, (x - x0).detach()
        if wrong and float(delta.norm()) < shortest:
            best, shortest = x.detach(), float(delta.norm())
        g = torch.autograd.grad(F.cross_entropy(logits, torch.tensor(label)), x)[0]
        alpha = 0.01 + (1 - 0.01) * (1 + math.cos(math.pi * k / steps)) / 2
        delta = delta + alpha * g / g.norm()
        eps = min(eps * (0.95 if wrong else 1.05), float(torch.maximum(x0, 1 - x0).norm()))
        x = (x0 + eps * delta / delta.norm()).clamp(0, 1).detach()
    return best


def test_ddn_is_the_plain_loop(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:10], right[1][:10]
    theirs = stacked(lambda one, label: ddn_by_hand(network, one, label, 30), images, labels)
    assert share_of_same(DDN(steps=30)(network, images, labels), theirs) >= 0.9


def test_bytes_hold_what_ddn_quantised(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    images = (images * 255).round() / 255
    stored = DDN(steps=40, levels=256)(network, images, labels) * 255
    assert torch.allclose(stored, stored.round(), rtol=0, atol=1e-4)
    assert bool(broken(network, stored.round() / 255, labels).all())


@pytest.mark.oracle
@pytest.mark.parametrize("levels", [None, 256])
def test_ddn_is_adv_libs(levels: int | None, network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    theirs = adv_lib().ddn(copy.deepcopy(network), images, labels, steps=100, levels=levels)
    ours = DDN(steps=100, levels=levels)(network, images, labels)
    assert bool(broken(network, ours, labels).all())
    assert share_of_same(ours, theirs) >= 0.7  # rounding decides once in a hundred steps for some
    mine, other = median(L2(), ours, theirs, images)
    assert mine == pytest.approx(other, rel=5e-3)


@pytest.mark.oracle
def test_ddn_goes_to_a_wanted_class_as_adv_libs_does(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, wanted = right[0], (right[1] + 1) % 10
    theirs = adv_lib().ddn(copy.deepcopy(network), images, wanted, targeted=True, steps=60, levels=None)
    ours = DDN(steps=60, objective=Towards(cross_entropy))(network, images, wanted)
    assert bool((network(ours).argmax(1) == wanted).all())
    assert share_of_same(ours, theirs) >= 0.8
    mine, other = median(L2(), ours, theirs, images)
    assert mine == pytest.approx(other, rel=1e-3)
