"""The laws of a ball, for every norm."""

import math
import re
from itertools import combinations

import pytest
import torch
from torch import Tensor

from holdfast import L0, L1, L2, Linf, NormalisedLinf, Threat
from holdfast.errors import BadValue
from holdfast.rng import Stream

FINITE = (Linf(0.1), L2(0.8), L1(4.0), L0(6), NormalisedLinf(0.4, (0.05, 0.3)))
THREATS = (*FINITE, L2(math.inf), Linf(math.inf), L1(math.inf))


@pytest.fixture
def center() -> Tensor:
    return torch.rand(30, 2, 5, 5)


@pytest.fixture
def far(center: Tensor) -> Tensor:
    return center + 3 * torch.randn_like(center)


@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_projecting_lands_in_the_ball_and_in_the_box(threat: Threat, center: Tensor, far: Tensor) -> None:
    inside = threat.project(far, center)
    assert float(inside.min()) >= 0
    assert float(inside.max()) <= 1
    assert float(threat.distance(inside, center).max()) <= threat.eps + 1e-5


@pytest.mark.parametrize(
    ("threat", "p"), [(Linf(0.02), math.inf), (L2(0.34), 2), (L2(0.46), 2), (L1(12.0), 1), (L1(0.5), 1)]
)
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 96, 96)], ids=str)
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "drawn"])
def test_no_sum_of_roundings_leaves_the_ball(threat: Threat, p: float, shape: tuple[int, ...], flat: bool) -> None:
    center = torch.full((20, *shape), 0.5) if flat else torch.rand(20, *shape)
    step = torch.ones_like(center) if flat else torch.randn_like(center).sign()
    for far in (center + 0.03 * step, center + 1.25 * threat.eps * threat.ascent(step)):
        inside = threat.project(far, center)
        distance = torch.linalg.vector_norm((inside.double() - center.double()).flatten(1), p, dim=1)
        assert float(distance.max()) <= threat.eps * (1 + 1e-6)


@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_projecting_twice_is_projecting_once(threat: Threat, center: Tensor, far: Tensor) -> None:
    once = threat.project(far, center)
    assert torch.allclose(threat.project(once, center), once, atol=1e-6)


@pytest.mark.parametrize("threat", THREATS, ids=str)
def test_a_point_inside_stays(threat: Threat, center: Tensor) -> None:
    count = int(min(threat.eps, 3)) if isinstance(threat, L0) else center[0].numel()
    near = center.clone().flatten(1)
    near[:, :count] = (near[:, :count] + 0.01 * (torch.rand(30, count) - 0.5)).clamp(0, 1)
    near = near.view_as(center)
    assert torch.allclose(threat.project(near, center), near, atol=1e-7)


@pytest.mark.parametrize("threat", FINITE, ids=str)
def test_random_starts_fill_the_ball(threat: Threat, center: Tensor) -> None:
    stream = Stream.of(center, 0)
    start = threat.random_start(center, stream)
    far = threat.distance(start, center)
    assert float(far.max()) <= threat.eps + 1e-5
    assert float(far.min()) > 0.3 * threat.eps
    assert torch.equal(threat.random_start(center[:3], stream[torch.arange(3)]), start[:3])


@pytest.mark.parametrize("threat", FINITE, ids=str)
def test_ascent_looks_at_the_direction_alone_down_to_the_end_of_float32(threat: Threat) -> None:
    gradient = torch.randn(30, 2, 5, 5)
    torch.testing.assert_close(threat.ascent(2.0**-110 * gradient), threat.ascent(gradient))  # about 1e-33
    assert not threat.ascent(torch.zeros_like(gradient)).any()


@pytest.mark.parametrize("threat", [Linf(0.1), L2(0.5), L1(1.0), NormalisedLinf(0.1, (0.05, 0.3))], ids=str)
def test_ascent_has_unit_size_and_climbs_no_more_than_the_dual_norm(threat: Threat) -> None:
    gradient = torch.randn(30, 2, 5, 5)
    step = threat.ascent(gradient)
    assert torch.allclose(threat.distance(step, torch.zeros_like(step)), torch.ones(30), atol=1e-5)
    climbed = (step * gradient).flatten(1).sum(1)
    assert bool((climbed <= threat.dual(gradient) * (1 + 1e-5)).all())
    # One value of fifty is the share that L1 moves, so here every norm's step is the steepest one.
    assert torch.allclose(climbed, threat.dual(gradient), rtol=1e-4)


@pytest.mark.parametrize("size", [1e-28, 1e-20, 1.0, 1e20, 1e37])
def test_ascent_has_unit_length_whatever_the_size_of_the_gradient(size: float) -> None:
    gradient = torch.tensor([[[[3.0, 4.0]]]]) * size
    assert torch.allclose(L2(1.0).ascent(gradient), torch.tensor([[[[0.6, 0.8]]]]))
    assert float(L2(1.0).dual(gradient)) == pytest.approx(5 * size)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "drawn"])
def test_euclidean_lengths_are_those_of_float64(flat: bool) -> None:
    gradient = torch.ones(40, 3, 96, 96) if flat else torch.randn(40, 3, 96, 96)
    gradient = gradient * torch.logspace(-8, 8, 40)[:, None, None, None]
    exact = torch.linalg.vector_norm(gradient.double().flatten(1), dim=1)
    for found in (L2(1.0).dual(gradient), L2(1.0).distance(gradient, torch.zeros_like(gradient))):
        assert torch.allclose(found.double(), exact, rtol=2e-7, atol=0)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "drawn"])
def test_sums_are_those_of_float64(flat: bool) -> None:
    gradient = torch.full((40, 3, 96, 96), 0.1) if flat else torch.randn(40, 3, 96, 96)
    exact = gradient.double().abs().flatten(1).sum(1)
    for found in (Linf(1.0).dual(gradient), L1(1.0).distance(gradient, torch.zeros_like(gradient))):
        assert torch.allclose(found.double(), exact, rtol=2e-7, atol=0)


def test_ascent_of_no_gradient_is_no_step() -> None:
    for threat in FINITE:
        assert float(threat.ascent(torch.zeros(3, 1, 4, 4)).abs().max()) == 0


def test_the_l1_projection_is_the_nearest_point_of_ball_and_box() -> None:
    center = torch.rand(200, 1, 2, 2)
    images = center + 1.5 * (torch.rand(200, 1, 2, 2) - 0.5)  # many of them outside of the box
    found = L1(0.3).project(images, center)
    reach = (found - images).flatten(1).norm(dim=1)
    for _ in range(300):
        inside = L1(0.3).project(torch.rand(200, 1, 2, 2), center)
        for share in (0.01, 0.3, 1.0):  # near the point that was found, and far
            other = found + share * (inside - found)
            assert bool((reach <= (other - images).flatten(1).norm(dim=1) + 1e-5).all())


def test_the_l1_corner_is_the_highest_point_of_ball_and_box() -> None:
    center, gradient = torch.rand(200, 1, 2, 2), torch.randn(200, 1, 2, 2)
    corner = L1(0.6).corner(gradient, center)
    assert torch.allclose(corner, L1(0.6).project(corner, center), atol=1e-6)
    height = ((corner - center) * gradient).flatten(1).sum(1)
    for _ in range(300):
        other = L1(0.6).project(center + 4 * torch.randn_like(center), center)
        assert bool((height >= ((other - center) * gradient).flatten(1).sum(1) - 1e-6).all())
    assert torch.equal(L1(0.6).corner(torch.zeros_like(center), center), center)


def test_a_large_image_stays_in_its_l1_ball_up_to_rounding(small: torch.nn.Module) -> None:
    center = torch.rand(1, 3, 224, 224)
    found = L1(0.3).project(center + torch.randn_like(center), center)
    assert float(L1(0.3).distance(found, center)) <= 0.3 + 3e-8 * center.numel()


def test_l0_counts_and_keeps_the_largest_changes() -> None:
    center = torch.zeros(1, 1, 1, 4)
    images = torch.tensor([[[[0.1, 0.9, 0.5, 0.3]]]])
    assert torch.equal(L0(2).project(images, center), torch.tensor([[[[0.0, 0.9, 0.5, 0.0]]]]))
    assert float(L0(2).distance(images, center)) == 4


def test_eps_in_bytes_is_refused_with_what_was_meant() -> None:
    with pytest.raises(BadValue, match=r"did you mean 8/255\?"):
        Linf(8)
    for threat in (Linf, L2, L1, L0, NormalisedLinf):
        with pytest.raises(BadValue, match="0 or more"):
            threat(-1.0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("eps", ["0.1", None, 1j, [0.1], True, math.nan])
@pytest.mark.parametrize("threat", [Linf, L2, L1, L0, NormalisedLinf])
def test_a_radius_is_a_number(threat: type[Threat], eps: object) -> None:
    with pytest.raises(BadValue, match=re.escape(f"eps = {eps!r}")):
        threat(eps)  # type: ignore[call-arg]


def test_a_part_of_a_value_and_a_share_that_is_none_are_refused() -> None:
    with pytest.raises(BadValue, match=r"L0 eps = 2\.5"):
        L0(2.5)
    with pytest.raises(BadValue, match="share = 0"):
        L1(1.0, share=0.0)
    assert L0(3.0) == L0(3)
    assert L0(math.inf).eps == math.inf


@pytest.mark.parametrize("threat", [L1(1.0, share=0.2), L0(2)], ids=lambda threat: type(threat).__name__)
def test_steps_on_few_values_leave_out_those_at_a_wall(threat: Threat) -> None:
    images = torch.tensor([[[[0.0, 1.0, 0.5, 0.2, 0.0]]]])
    gradient = torch.tensor([[[[-9.0, 8.0, 0.5, -4.0, 1.0]]]])
    blocked, free = threat.ascent(gradient), threat.ascent(gradient, images)
    assert float(blocked[0, 0, 0, 0]) == -1
    assert float(free[0, 0, 0, 3]) == -1
    assert not free[0, 0, 0, :2].any()
    for dense in (Linf(0.1), L2(0.5)):  # as published: they move every value, and cut afterwards
        assert torch.equal(dense.ascent(gradient, images), dense.ascent(gradient))


def test_the_l0_corner_is_the_highest_of_all_points_that_change_so_few_values() -> None:
    generator = torch.Generator().manual_seed(3)
    center, gradient = (torch.rand(20, 1, 2, 3, generator=generator) for _ in range(2))
    gradient = gradient - 0.5
    corner = L0(2).corner(gradient, center)
    assert float(L0(2).distance(corner, center).max()) <= 2
    height = ((corner - center) * gradient).flatten(1).sum(1)
    walls = (gradient * ((gradient > 0).float() - center)).flatten(1)
    pairs = torch.stack([walls[:, i] + walls[:, j] for i, j in combinations(range(6), 2)]).amax(0)
    torch.testing.assert_close(height, pairs)
    assert torch.equal(L0(2).corner(torch.zeros_like(center), center), center)


def test_so_many_steps_go_a_share_of_the_radius_but_each_whole_in_l0() -> None:
    assert L2(0.8).step() == 0.8
    assert Linf(0.1).step(2.5, 10) == 2.5 * 0.1 / 10
    assert L0(6).step(2.5, 10) == L0(6).step() == 1.0
