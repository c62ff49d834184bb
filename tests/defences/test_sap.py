"""Stochastic activation pruning: its mean, what is kept, and where in a network it works."""

import math

import pytest
import torch
from torch import nn

from holdfast.defences import SAP, defend, steps_of, views
from holdfast.errors import BadValue
from holdfast.models import build


def activations(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).relu()


def test_the_mean_over_many_draws_is_what_the_activations_were() -> None:
    torch.manual_seed(0)
    before, count = activations(2, 3, 4, 4), 20_000
    draws = SAP()(before.repeat(count, 1, 1, 1)).reshape(count, *before.shape)
    error = draws.std(0) / math.sqrt(count)
    assert ((draws.mean(0) - before).abs() <= 5 * error + 1e-6).all()


@pytest.mark.parametrize("share", [0.25, 1.0, 2.0])
def test_each_is_kept_as_often_and_weighted_as_by_hand(share: float) -> None:
    torch.manual_seed(0)
    before = torch.tensor([[1.0, 2.0, 5.0, 0.0]])
    draws = round(4 * share)
    ever = 1 - (1 - before / 8) ** draws
    after = SAP(share)(before.repeat(20_000, 1))
    torch.testing.assert_close(after.ne(0).float().mean(0), ever[0], rtol=0, atol=0.015)
    torch.testing.assert_close(after.amax(0), (before / ever)[0].nan_to_num(0))
    if share == 0.25:
        assert after.ne(0).sum(1).eq(1).all()  # one draw keeps one


def test_the_gradient_is_the_weight_of_what_is_kept() -> None:
    torch.manual_seed(0)
    before = (activations(3, 8) + 0.01).requires_grad_()
    after = SAP()(before)
    (gradient,) = torch.autograd.grad(after.sum(), before)
    torch.testing.assert_close(gradient, (after / before).detach())


def test_images_without_activations_stay_so_and_nan_stays_nan() -> None:
    before = torch.zeros(2, 5)
    assert torch.equal(SAP()(before), before)
    before[1, 2] = math.nan
    after = SAP()(before)
    assert after[1].isnan().any()
    assert torch.equal(after[0], before[0])


@pytest.mark.parametrize("name", ["resnet-18", "preact-resnet-18", "wrn-10-1", "cifar-resnet-8", "sml-resnet", "lenet"])
def test_there_is_a_step_after_each_relu_of_a_network_and_the_weights_are_its_own(name: str) -> None:
    side = 28 if name == "lenet" else 16
    network = build(name, (3, side, side), 10).eval()
    defended = defend(network, SAP())
    assert len(steps_of(defended)) == sum(isinstance(part, nn.ReLU) for part in network.modules()) > 1
    assert not steps_of(network)
    assert [id(each) for each in defended.parameters()] == [id(each) for each in network.parameters()]
    images = torch.rand(2, 3, side, side)
    with torch.no_grad():
        bare = views(defended)["bare classifier"](images)
    assert torch.equal(bare, network(images))


def test_a_purifier_behind_it_is_not_pruned() -> None:
    purifier = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2))
    assert sum(step.random for step in steps_of(defend(network, SAP(), purifier))) == 1


def test_a_classifier_without_a_relu_is_refused_in_one_line() -> None:
    with pytest.raises(BadValue, match=r"^SAP: Sequential has no nn\.ReLU module after which to prune$"):
        defend(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), SAP())


def test_a_relu_inside_a_purifier_alone_is_none_of_the_classifier() -> None:
    purifier = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())
    smooth = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.GELU(), nn.Linear(4, 2))
    with pytest.raises(BadValue, match="SAP"):
        defend(smooth, SAP(), purifier)
