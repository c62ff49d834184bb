"""RayS: closed forms, plain loops, networks that name a class and nothing more, and what is spent."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import Linf, NormalisedLinf
from holdfast.attacks import FGSM, RayS
from holdfast.errors import BadValue
from holdfast.passes import counting
from tests.attacks.networks import Held, middle


def ray_search(attack: RayS, network: nn.Module, image: Tensor, label: int) -> float:
    """Return the radius that Chen and Gu's algorithms 1 to 3 find for one image, their loops written plainly."""
    left, size = attack.queries, image.numel()

    def wrong(signs: list[float], radius: float) -> bool:
        nonlocal left
        left -= 1
        x = (image + radius * torch.tensor(signs).view_as(image)).clamp(0, 1)
        return int(network(x[None]).argmax()) != label

    def search(signs: list[float], known: float) -> float:
        if not wrong(signs, known):
            return known
        low, high = 0.0, known
        while high - low > attack.tolerance and left > 0:
            radius = (low + high) / 2
            low, high = (low, radius) if wrong(signs, radius) else (radius, high)
        return high

    best = [1.0] * size
    radius, level, block = search(best, 2.0), 0, 0
    while left > 0 and level < 20:
        length = math.ceil(size / 2**level)
        turned = [-s if block * length <= i < (block + 1) * length else s for i, s in enumerate(best)]
        found = search(turned, radius)
        best, radius = (turned, found) if found < radius else (best, radius)
        block += 1
        if block * length >= size:
            level, block = level + 1, 0
    return radius


@pytest.mark.parametrize("queries", [5, 60, 700])
def test_is_the_search_written_in_plain_loops(queries: int, trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    attack = RayS(queries=queries)
    distance = attack.threat.distance(attack(network, images[:6], labels[:6]), images[:6])
    radii = [ray_search(attack, network, *pair) for pair in zip(images[:6], labels[:6].tolist(), strict=True)]
    assert distance.tolist() == pytest.approx([0.0 if radius == 2.0 else radius for radius in radii], abs=1e-6)


def test_finds_the_nearest_corner_of_a_linear_network() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), middle(20, 3, 4, 4)
    logits = network(images)
    labels, gap = logits.argmax(1), (logits[:, 0] - logits[:, 1]).abs()
    reach = gap / (network[1].weight[0] - network[1].weight[1]).abs().sum()
    with counting() as spent:
        attacked = RayS(tolerance=1e-6)(network, images, labels)
    distance = Linf(1.0).distance(attacked, images)
    assert torch.allclose(distance, reach, atol=1e-5)
    assert bool((network(attacked).argmax(1) != labels).all())
    assert spent.forwards < 20 * 1000  # a sweep in which no turn helps is the last


def test_the_class_alone_is_enough(trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    attack = RayS(queries=150)
    named = attack(lambda x: F.one_hot(network(x).argmax(1), 10).float(), images, labels)
    # Equal within the precision of the search: on some processors rounding moves an image by less than that.
    assert torch.allclose(named, attack(network, images, labels), rtol=0, atol=attack.tolerance)
    assert bool((network(named).argmax(1) != labels).float().mean() > 0.9)


def test_no_image_is_asked_for_more_than_its_queries() -> None:
    network, images, labels = Held(48), torch.rand(5, 3, 4, 4), torch.tensor([0, 0, 0, 1, 1])
    with counting() as spent:
        attacked = RayS(queries=30)(network, images, labels)
    assert torch.equal(attacked, images)  # three cannot be broken, two are broken as they are
    assert spent.forwards == 3 * (1 + 30) + 2


def test_inside_a_ball_one_break_is_enough(trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    with counting() as far:
        shortest = RayS(queries=600)(network, images, labels)
    with counting() as near:
        inside = RayS(Linf(0.3), queries=600)(network, images, labels)
    broken = network(inside).argmax(1) != labels
    assert torch.equal(broken, Linf(0.3).distance(shortest, images) <= 0.3)
    assert near.forwards < far.forwards / 2


def test_a_start_gives_the_first_signs(trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    start = FGSM(Linf(0.3))(network, images, labels)
    from_white, from_there = (RayS(queries=40)(network, images, labels, given) for given in (None, start))
    assert Linf(1.0).distance(from_there, images).median() < Linf(1.0).distance(from_white, images).median()


@pytest.mark.parametrize("eps", [7.0, 9.0, 20.0])
def test_a_ball_wider_than_the_box_loses_no_break(eps: float) -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), middle(8, 1, 4, 4)
    network[1].bias.data -= network(images).mean(0)
    labels = network(images).argmax(1)
    found = RayS(NormalisedLinf(eps, (0.25,)), queries=100)(network, images, labels)
    assert bool((network(found).argmax(1) != labels).all())


def test_a_tolerance_that_no_number_meets_costs_no_queries() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), middle(4, 1, 3, 3)
    labels = network(images).argmax(1)
    usual, exact = (RayS(queries=300, tolerance=each)(network, images, labels) for each in (2e-5, 1e-9))
    distance = Linf(1.0).distance
    assert bool((distance(exact, images) <= distance(usual, images) + 1e-4).all())


def test_a_boundary_is_never_found_exactly() -> None:
    with pytest.raises(BadValue, match="tolerance"):
        RayS(tolerance=0.0)
