"""The nearest point of a ball in each norm, for radii that are each image's own."""

import torch

from holdfast import L0, L1
from holdfast.threats import Threat
from tests.attacks.shortest import ALL


@ALL
def test_onto_ball_leaves_what_is_inside_and_lands_on_the_ball(norm: type[Threat]) -> None:
    change = torch.randn(50, 3, 5, 5)
    change[:, :, 0] = 0
    length, zero = norm().distance(change, torch.zeros_like(change)), torch.zeros_like(change)
    assert torch.equal(norm().cut(change, length * 1.01), change)
    assert torch.equal(norm().cut(change, torch.full_like(length, torch.inf)), change)
    assert torch.equal(norm().cut(change, torch.zeros_like(length)), zero)
    radius = (length * torch.rand(50)).floor() if norm is L0 else length * torch.rand(50)  # one for each image
    once = norm().cut(change, radius)
    assert torch.allclose(norm().distance(once, zero), radius, rtol=1e-5, atol=1e-6)
    assert torch.allclose(norm().cut(once, radius), once, atol=1e-6)
    assert torch.equal(norm().cut(zero, radius), zero)


@ALL
def test_onto_ball_is_nearer_than_any_other_point_of_the_ball(norm: type[Threat]) -> None:
    change, radius = 2 * torch.randn(40, 1, 2, 3), 0.2 + 2 * torch.rand(40)
    radius = radius.ceil() if norm is L0 else radius
    distance = (norm().cut(change, radius) - change).flatten(1).norm(dim=1)
    for trial in range(400):
        other = torch.randn_like(change) if trial % 2 else change + 0.3 * torch.randn_like(change)
        if norm is L0:  # any values at any `radius` places
            order = torch.rand(40, 6).argsort(1).argsort(1)
            other = other * (order < radius[:, None]).view_as(other)
        else:
            size = norm().distance(other, torch.zeros_like(other))
            other = other * (radius / size).clamp_max(1)[:, None, None, None]
        assert bool((distance <= (other - change).flatten(1).norm(dim=1) + 1e-5).all())


def test_onto_the_l1_ball_is_what_halving_finds() -> None:
    change, radius = torch.randn(30, 1, 8, 8), 30 * torch.rand(30)
    for one, far in zip(change.double(), radius.double(), strict=True):
        low, high = torch.zeros((), dtype=torch.float64), one.abs().max()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if (one.abs() - middle).clamp_min(0).sum() > far else (low, middle)
        wanted = one.sign() * (one.abs() - high).clamp_min(0)
        found = L1().cut(one.float()[None], far.float()[None])[0]
        assert torch.allclose(found, wanted.float(), atol=1e-5)


def test_onto_the_l0_ball_the_largest_are_kept_and_of_equal_ones_the_first() -> None:
    change = (2 * torch.randn(40, 2, 4, 5)).round() / 2
    radius = (42 * torch.rand(40)).floor() + 0.5 * (torch.rand(40) < 0.5)
    wanted = torch.zeros(40, 40)
    for row, (one, count) in enumerate(zip(change.flatten(1).tolist(), radius.tolist(), strict=True)):
        for place in sorted(range(40), key=lambda place: -abs(one[place]))[: int(count)]:
            wanted[row, place] = one[place]
    assert torch.equal(L0().cut(change, radius).flatten(1), wanted)
    few = radius.clamp_max(9)
    assert torch.equal(L0().cut(change, few, most=9), L0().cut(change, few))
