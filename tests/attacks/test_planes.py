"""The shortest way onto a plane inside the box, against searches that know nothing of it."""

import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import FAB, FABT
from holdfast.attacks.planes import onto_plane
from holdfast.threats import Threat

THREATS = pytest.mark.parametrize("threat", [Linf(1.0), L2(1.0), L1(1.0)], ids=lambda threat: type(threat).__name__)
ORDER = {Linf: math.inf, L2: 2.0, L1: 1.0}


@THREATS
def test_lands_on_the_plane_inside_the_box_by_the_shortest_way(threat: Threat) -> None:
    n, d = 200, 6
    x, w = torch.rand(n, d), torch.randn(n, d)
    inside = torch.rand(n, d)
    gap = ((inside - x) * w).sum(1)  # a plane that the box does meet
    step = onto_plane(threat, x, w, gap)
    assert float((x + step).min()) >= -1e-6
    assert float((x + step).max()) <= 1 + 1e-6
    assert torch.allclose((step * w).sum(1), gap, atol=1e-4)
    norm = ORDER[type(threat)]
    length = step.norm(p=norm, dim=1)
    for _ in range(300):  # any other point of the plane and the box is at least as far
        other = torch.rand(n, d)
        miss = gap - ((other - x) * w).sum(1)
        pixel = torch.randint(0, d, (n,))
        rows = torch.arange(n)
        other[rows, pixel] += miss / w[rows, pixel]
        valid = (other[rows, pixel] >= 0) & (other[rows, pixel] <= 1)
        assert bool((length <= (other - x).norm(p=norm, dim=1) + 1e-4)[valid].all())


def test_a_plane_out_of_reach_leads_to_the_furthest_corner() -> None:
    x, w = torch.full((1, 3), 0.5), torch.tensor([[1.0, -2.0, 0.0]])
    for threat in (Linf(1.0), L2(1.0), L1(1.0)):
        step = onto_plane(threat, x, w, torch.tensor([100.0]))
        assert torch.allclose(step[:, :2], torch.tensor([[0.5, -0.5]]))


def shortest(threat: Threat, x: Tensor, w: Tensor, gap: Tensor) -> Tensor:
    """Return the shortest step in float64, by halving; in L1 pixel by pixel."""
    x, w, gap = x.double(), w.double(), gap.double()
    towards, weight, need = gap.sign()[:, None] * w.sign(), w.abs(), gap.abs()
    room = torch.where(towards > 0, 1 - x, x)
    if isinstance(threat, L1):
        length, left = torch.zeros_like(room), need
        for pixel in weight.argsort(dim=1, descending=True).unbind(1):
            rows = torch.arange(len(x))
            length[rows, pixel] = (left / weight[rows, pixel]).minimum(room[rows, pixel])
            left = (left - length[rows, pixel] * weight[rows, pixel]).clamp_min(0)
        return towards * length
    power = weight if isinstance(threat, L2) else torch.ones_like(weight)
    low, high = torch.zeros_like(need[:, None]), torch.full_like(need[:, None], 1e10)
    for _ in range(100):
        middle = (low + high) / 2
        enough = ((middle * power).minimum(room) * weight).sum(1, keepdim=True) >= need[:, None]
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return towards * (high * power).minimum(room)


@THREATS
@pytest.mark.parametrize("d", [3, 8, 64, 784])
def test_weights_of_many_orders_of_magnitude(threat: Threat, d: int) -> None:
    n = 1000 if d < 100 else 200
    x, w = torch.rand(n, d), torch.randn(n, d).sign() * 10 ** (-8 * torch.rand(n, d))
    gap = ((torch.rand(n, d) - x) * w).sum(1)
    step, best = onto_plane(threat, x, w, gap), shortest(threat, x, w, gap)
    assert bool(((x + step >= -1e-6) & (x + step <= 1 + 1e-6)).all())
    reach = (torch.where(gap[:, None] * w > 0, 1 - x, x) * w.abs()).sum(1)
    inner = gap.abs() <= 0.99 * reach  # nearly at the last corner the length hangs on the last digit of the gap
    assert float(inner.float().mean()) > 0.9
    assert torch.allclose((step.double() * w.double()).sum(1)[inner], gap.double()[inner], rtol=1e-6, atol=0)
    lengths = [way.double().norm(p=ORDER[type(threat)], dim=1)[inner] for way in (step, best)]
    assert torch.allclose(*lengths, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("gap", "linf", "l2", "l1"),
    [
        (0.8, 0.2133333, 0.3470887, 0.4),
        (2.2, 0.625, 0.9544940, 1.3),
        (2.9, 0.8583333, 1.3160185, 2.2),
        (3.2, 0.9, 1.4, 2.6),  # out of reach
        (-0.4, 0.0516129, 0.1022203, 0.1333333),
        (-1.2, 0.1894737, 0.3136842, 0.4),
    ],
)
def test_values_worked_out_by_hand(gap: float, linf: float, l2: float, l1: float) -> None:
    x = torch.tensor([[0.1, 0.9, 0.5, 0.0, 1.0, 0.3]])
    w = torch.tensor([[2.0, -1.0, 0.5, -3.0, 1.0, -0.25]])
    for scale in (1e-30, 1.0, 1e30):
        for threat, length in ((Linf(1.0), linf), (L2(1.0), l2), (L1(1.0), l1)):
            step = onto_plane(threat, x, scale * w, torch.tensor([scale * gap]))
            found = float(step.norm(p=ORDER[type(threat)]))
            assert found == pytest.approx(length, abs=1e-3 if gap == 3.2 else 1e-6)


X = torch.tensor([[0.3137606978416443, 0.030522584915161133, 0.21216356754302979]])
W = torch.tensor([[-1.4434996842283e-07, 0.7176854610443115, -0.4221245348453522]])
"""Three pixels whose remaining slope float32 takes for less than nothing."""


def test_three_pixels_whose_running_sum_cancels() -> None:
    step = onto_plane(L2(1.0), X, W, torch.tensor([0.6904293298721313]))
    assert torch.allclose(step, torch.tensor([[-1.7e-7, 0.837, -0.212]]), atol=1e-3)


class Plane(nn.Module):
    """A linear network of two classes, finite everywhere, whose boundary lies away from X."""

    def forward(self, images: Tensor) -> Tensor:
        height = (images.flatten(1) * W).sum(1) - (W * X).sum() - 0.6904293298721313
        return torch.stack([torch.zeros_like(height), height], 1)


@pytest.mark.parametrize("kind", [FAB, FABT])
@pytest.mark.parametrize("norm", [Linf, L2, L1])
def test_fab_accuses_no_finite_network(kind: type[FAB] | type[FABT], norm: type[Threat]) -> None:
    found = kind(norm(math.inf), steps=20)(Plane(), X.view(1, 1, 1, 3), torch.tensor([0]))
    assert int(Plane()(found).argmax(1)) == 1
