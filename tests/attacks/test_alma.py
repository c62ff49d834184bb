"""ALMA: the paper's loop written plainly, adv-lib's, its penalty, and logits of any scale."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2
from holdfast.attacks import ALMA
from holdfast.attacks.alma import penalty_slope
from holdfast.errors import BadValue
from holdfast.objectives import ClippedMargin, Towards, cross_entropy, dlr
from holdfast.threats import Threat
from tests.attacks.shortest import broken, median, share_of_same, stacked
from tests.oracles import adv_lib

NORMS = pytest.mark.parametrize("norm", [L2, L1], ids=lambda norm: norm.__name__)
SETTINGS = {
    L2: {"distance": "l2", "init_lr_distance": 0.1, "\N{GREEK SMALL LETTER ALPHA}": 0.9},
    L1: {"distance": "l1", "init_lr_distance": 0.5, "\N{GREEK SMALL LETTER ALPHA}": 0.5},
}
"""The authors' for each norm."""


def penalty(c: Tensor, rho: float, mu: float) -> Tensor:
    """Return the paper's P2."""
    return mu * c + mu * rho * c**2 + rho**2 * c**3 / 6 if c.item() >= 0 else mu * c / (1 - rho * c)


def alma_by_hand(network: nn.Module, x0: Tensor, label: int, steps: int, order: int) -> Tensor:
    """Return the shortest break of one image that algorithm 1 of the paper meets."""
    alpha, epsilon = (0.9, 0.1) if order == 2 else (0.5, 0.5)
    best, shortest, found, rho, mu, eta, before = x0, math.inf, steps + 1, 1.0, 1.0, 0.0, 0.0
    delta, v, m = torch.zeros_like(x0), torch.ones_like(x0), torch.zeros_like(x0)
    for k in range(steps):
        delta = delta.detach().requires_grad_()
        z = network((x0 + delta)[None])[0]
        others = torch.cat([z[:label], z[label + 1 :]])
        c = (z[label] - others.max() + 1e-4 * (z.max() - z.topk(3).values[2])) / (z.max() - z.topk(3).values[2])
        if k == 0:
            before = c.item()
        elif (k + 1) % 10 == 0:
            rho = rho if found <= steps or c.item() < 0.95 * before else 1.2 * rho
            before = c.item()
        if k > 0:
            slope = torch.autograd.grad(penalty(c, rho, mu), c, retain_graph=True)[0]
            mu = min(max(alpha * mu + (1 - alpha) * slope.item(), 1e-6), 1e12)
        length = delta.norm(order)
        if int(z.argmax()) != label:
            found = min(found, k)
            if length.item() < shortest:
                best, shortest = (x0 + delta).detach(), length.item()
        loss = penalty(c, rho, mu) + (length if k > 0 else 0.0)
        g = torch.autograd.grad(loss, delta)[0]
        if k == 0:
            eta = step_by_hand(x0, g, epsilon, order)
        decay = 0.01 ** (max(k - found, 0) / (steps - found))
        v = alpha * v + (1 - alpha) * g**2
        m = alpha * m + g / (v.sqrt() + 1e-8)
        delta = (x0 + delta.detach() - eta * decay * m).clamp(0, 1) - x0
    return best


def step_by_hand(x0: Tensor, g: Tensor, epsilon: float, order: int) -> float:
    """Return the step that leads epsilon away, found by bisection to the last digit."""
    low, high = 0.0, 1e4
    for _ in range(60):
        middle = (low + high) / 2
        near = float(((x0 - middle * g).clamp(0, 1) - x0).norm(order)) <= epsilon
        low, high = (middle, high) if near else (low, middle)
    return low


@NORMS
def test_alma_is_the_plain_loop(norm: type[Threat], network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels, order = right[0][:10], right[1][:10], 2 if norm is L2 else 1
    theirs = stacked(lambda one, label: alma_by_hand(network, one, label, 30, order), images, labels)
    ours = ALMA(norm(math.inf), steps=30)(network, images, labels)
    assert bool(broken(network, ours, labels).all())
    assert float((ours - theirs).abs().flatten(1).amax(1).median()) < 1e-4  # the bisections end at other digits


@pytest.mark.oracle
@NORMS
def test_alma_is_adv_libs(norm: type[Threat], network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    for steps, same in ((30, 0.9), (100, 0.5)):
        setting = {"num_steps": steps, "logit_tolerance": 0.0, **SETTINGS[norm]}
        theirs = adv_lib().alma(copy.deepcopy(network), images, labels, **setting)
        ours = ALMA(norm(math.inf), steps=steps, tolerance=0.0)(network, images, labels)
        assert bool(broken(network, ours, labels).all())
        assert share_of_same(ours, theirs) >= same
        mine, other = median(norm(math.inf), ours, theirs, images)
        assert mine == pytest.approx(other, rel=5e-3)


def test_the_slope_is_the_penalties() -> None:
    for number in (-3.0, -0.1, 0.0, 0.2, 5.0):
        for rho, mu in ((1.0, 1.0), (2.5, 0.3), (0.1, 40.0)):
            c = torch.tensor(number, requires_grad=True)
            theirs = torch.autograd.grad(penalty(c, rho, mu), c)[0]
            ours = penalty_slope(c.detach()[None], torch.tensor([rho]), torch.tensor([mu]))
            assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.oracle
def test_alma_reaches_a_wanted_class_as_near_as_adv_libs(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, wanted = right[0], (right[1] + 1) % 10
    setting = {"targeted": True, "num_steps": 200, **SETTINGS[L2]}
    theirs = adv_lib().alma(copy.deepcopy(network), images, wanted, **setting)
    ours = ALMA(steps=200, objective=Towards(dlr))(network, images, wanted)
    assert bool((network(ours).argmax(1) == wanted).all())
    # Their denominator has a gradient and ours none, so the ways are not the same.
    reached = network(theirs).argmax(1) == wanted
    assert float(reached.float().mean()) > 0.8
    mine, other = median(L2(math.inf), ours[reached], theirs[reached], images[reached])
    assert mine <= 1.05 * other


def test_alma_refuses_objectives_without_a_boundary_at_0() -> None:
    for objective in (cross_entropy, Towards(cross_entropy), ClippedMargin()):
        with pytest.raises(BadValue, match="ALMA: objective"):
            ALMA(objective=objective)


@NORMS
def test_logits_may_have_any_scale(norm: type[Threat], network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    attack = ALMA(norm(math.inf), steps=40)
    small, large = (attack(lambda x, s=scale: s * network(x), images, labels) for scale in (2**-10, 2**10))
    assert torch.allclose(small, large, atol=1e-4)
