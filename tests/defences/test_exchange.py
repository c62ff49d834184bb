"""Parts that are exchanged: each place of a part that stands in several, and steps inside a purifier."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from holdfast.auditing.defended import feature_layers
from holdfast.defences import JPEG, SAP, BitDepth, Defence, Noise, TotalVariation, defend, views
from holdfast.defences.defence import Step
from holdfast.defences.exchange import exchanged
from holdfast.models import build

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def classifier() -> nn.Module:
    torch.manual_seed(0)
    network = build("small-cnn", (3, 16, 16), 10).eval()
    nn.init.normal_(list(network.parameters())[-2])  # it begins at zero: no gradient would pass
    return network


def twice_pruned() -> nn.Module:
    relu = nn.ReLU()
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 8), relu, nn.Linear(8, 8), relu, nn.Linear(8, 10))


def test_a_relu_that_stands_in_two_places_is_pruned_in_both() -> None:
    defended = defend(twice_pruned(), SAP())
    assert [type(part) for part in defended] == [nn.Flatten, nn.Linear, *[nn.Sequential, nn.Linear] * 2]
    assert defended[2] is defended[4]
    assert len(list(views(defended)["bare classifier"](IMAGES))) == len(IMAGES)


def test_a_block_that_two_parts_share_is_exchanged_once() -> None:
    block = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
    network = nn.Sequential(nn.Sequential(block), nn.Sequential(block))
    found = exchanged(network, (nn.ReLU,), lambda part: nn.Sequential(part, nn.Tanh()))
    assert found[0][0] is found[1][0]
    assert sum(isinstance(part, nn.Tanh) for part in found.modules()) == 1
    assert sum(isinstance(part, nn.Tanh) for part in network.modules()) == 0


def test_a_step_that_stands_in_two_places_is_seen_straight_through_in_both() -> None:
    step = Step(JPEG())
    network = nn.Sequential(OrderedDict(first=step, again=step, classifier=classifier())).eval()
    seen = views(network)["straight through"]
    assert torch.equal(seen(IMAGES), network(IMAGES))
    assert gradient(seen, IMAGES).abs().sum() > 0


@pytest.mark.parametrize("defence", [BitDepth(3), TotalVariation(steps=3), JPEG(), Noise()], ids=repr)
def test_a_step_inside_a_purifier_is_differentiated_as_its_stand_in(defence: Defence) -> None:
    torch.manual_seed(0)
    purifier = defend(build("unet-b", (3, 16, 16), 10, width=2).eval(), defence)
    seen = views(defend(classifier(), purifier), draws=2)
    assert ("partly straight through" in seen) != defence.differentiable
    assert ("averaged" in seen) == defence.random
    for name in {"partly straight through", "averaged"} & set(seen):
        found = gradient(seen[name], IMAGES)
        assert found.isfinite().all()
        assert (found.flatten(1).abs().sum(1) > 0).all()


def test_the_features_behind_a_purifier_are_those_of_the_classifier() -> None:
    purifier = build("unet-b", (3, 16, 16), 10, width=2)
    assert feature_layers(defend(classifier(), purifier)) == feature_layers(classifier()) == ("penultimate",)


def gradient(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    images = images.clone().requires_grad_()
    found: torch.Tensor = torch.autograd.grad(network(images).square().sum(), images)[0]
    return found
