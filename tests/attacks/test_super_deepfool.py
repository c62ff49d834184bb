"""SuperDeepFool: the perpendicular to a plane, adv-lib's attack, and images whose feet all stand."""

import copy

import pytest
import torch
from torch import Tensor, nn

from holdfast import L2
from holdfast.attacks import DeepFool, SuperDeepFool
from holdfast.errors import BadValue
from holdfast.threats import per_image
from tests.attacks.networks import middle
from tests.attacks.shortest import broken, share_of_same
from tests.oracles import adv_lib


@pytest.mark.oracle
def test_it_is_adv_libs_where_no_step_meets_a_wall(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    # At the walls our DeepFool keeps the whole step and cuts the point, as in its paper, where adv-lib's cuts the step.
    images = 0.25 + 0.5 * right[0]
    labels = network(images).argmax(1)
    theirs = adv_lib().sdf(copy.deepcopy(network), images, labels)
    ours = SuperDeepFool()(network, images, labels)
    assert bool(broken(network, ours, labels).all())
    assert share_of_same(ours, theirs) >= 0.95


def test_it_stops_at_the_foot_of_the_perpendicular() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), middle(20, 1, 4, 4)
    network[1].bias.data -= network(images).mean(0)
    labels = network(images).argmax(1)
    w, gap = network[1].weight[0] - network[1].weight[1], network(images)[:, 0] - network(images)[:, 1]
    foot = images - per_image(gap / w.square().sum()) * w.view(1, 1, 4, 4)
    assert bool((foot.ge(0) & foot.le(1)).all())
    # Ten halvings leave a thousandth of the way. After one round, in which the foot may stand, DeepFool's end is taken.
    for attack, beyond in ((SuperDeepFool(), 2e-3), (SuperDeepFool(steps=1), 2e-3), (SuperDeepFool(halvings=0), 1.01)):
        found = attack(network, images, labels)
        assert bool(broken(network, found, labels).all())
        exact, way = L2().distance(foot, images), L2().distance(found, images)
        assert bool((way >= exact * (1 - 1e-4)).all())
        assert bool((way <= exact * (1 + beyond) + 2e-4).all())


def test_it_finds_shorter_ways_than_deepfool(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    ours, fool = (attack(network, images, labels) for attack in (SuperDeepFool(), DeepFool()))
    assert bool(broken(network, ours, labels).all())
    assert float((L2().distance(ours, images) < L2().distance(fool, images)).float().mean()) >= 0.8


def test_a_break_of_deepfool_inside_the_ball_is_kept_over_a_foot_beyond_it() -> None:
    torch.manual_seed(0)
    a, b, c = torch.randn(16, 24) * 1.5, torch.randn(24, 4), torch.randn(24)

    def waves(x: Tensor) -> Tensor:
        return torch.sin(x.flatten(1) @ a + c) @ b

    image = torch.rand(32, 1, 4, 4)[31:]
    label, threat = waves(image).argmax(1), L2(0.237408)
    assert bool(broken(waves, SuperDeepFool(threat)(waves, image, label), label))


def test_refuses_fields_that_make_no_sense() -> None:
    for field, value in (("candidates", 1), ("overshoot", -0.1), ("deepfool_steps", 0), ("halvings", -1)):
        with pytest.raises(BadValue, match=f"{field} = "):
            SuperDeepFool(**{field: value})
