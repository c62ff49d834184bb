"""What every defence keeps, whoever adds it: shapes, ranges, the classifier's own weights, and what it declares."""

import pytest
import torch
from torch import nn

from holdfast.defences import DEFENCES, Defence, defend, steps_of, views
from holdfast.models import build

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
every_defence = pytest.mark.parametrize("kind", DEFENCES.values(), ids=list(DEFENCES))


def classifier() -> nn.Module:
    torch.manual_seed(0)
    network = build("small-cnn", (3, 16, 16), 10).eval()
    nn.init.normal_(list(network.parameters())[-2])  # it begins at zero: no gradient would pass
    return network


@every_defence
def test_answers_are_logits_and_the_classifier_stays_as_it_was(kind: type[Defence]) -> None:
    plain = classifier()
    before = plain(IMAGES)
    defended = defend(plain, kind())
    assert defended(IMAGES).shape == before.shape
    assert torch.equal(plain(IMAGES), before)
    assert len(steps_of(defended)) >= 1
    assert not defended.training


@every_defence
def test_it_is_random_only_where_it_says_so(kind: type[Defence]) -> None:
    defended = defend(classifier(), kind())
    torch.manual_seed(1)
    first, second = defended(IMAGES), defended(IMAGES)
    torch.manual_seed(1)
    again = defended(IMAGES)
    assert torch.equal(first, again)
    assert torch.equal(first, second) != kind.random


@every_defence
def test_every_view_shares_weights_and_has_a_gradient_that_leads_somewhere(kind: type[Defence]) -> None:
    plain = classifier()
    defended = defend(plain, kind())
    seen = views(defended, draws=2)
    for name, view in seen.items():
        assert isinstance(view, nn.Module)
        assert {id(each) for each in view.parameters()} <= {id(each) for each in defended.parameters()}, name
        if name == "plain gradients" and not kind.differentiable:
            continue
        x = IMAGES.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(view(x).logsumexp(1).sum(), x)
        assert gradient.isfinite().all(), name
        assert gradient.flatten(1).abs().amax(1).gt(0).all(), name
    assert torch.equal(seen["bare classifier"](IMAGES), plain(IMAGES))


@every_defence
def test_the_straight_through_view_answers_exactly_as_the_network(kind: type[Defence]) -> None:
    defended = defend(classifier(), kind())
    torch.manual_seed(2)
    exact = defended(IMAGES)
    torch.manual_seed(2)
    assert torch.equal(views(defended)["straight through"](IMAGES), exact)
