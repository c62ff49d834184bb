"""AWP: a law without perturbation, and one step against its plain derivation."""

import math

import pytest
import torch
from torch import nn

from holdfast import Linf, models
from holdfast.attacks import PGD
from holdfast.methods import (
    AT,
    AWP,
    CraftedMethod,
    Memory,
)
from holdfast.methods.awp import moved
from holdfast.objectives import (
    cross_entropy,
)
from holdfast.training.state import Updates

from .batches import a_batch


def stepped(method: AWP | CraftedMethod, start: nn.Module) -> dict[str, torch.Tensor]:
    model = models.build("digits-net", (1, 8, 8), 10)
    model.load_state_dict(start.state_dict())
    update = Updates({"model": model}, {"model": torch.optim.SGD(model.parameters(), lr=0.1)})
    model.train()
    method.step(model, a_batch(), Memory(), update)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_without_a_perturbation_awp_is_the_method_itself() -> None:
    start, method = models.build("digits-net", (1, 8, 8), 10), AT(PGD(Linf(0.1), steps=2))
    plain, wrapped = stepped(method, start), stepped(AWP(method, gamma=0.0), start)
    assert all(torch.equal(plain[name], wrapped[name]) for name in plain)


def test_awp_steps_along_the_gradient_at_the_moved_weights_from_where_they_were() -> None:
    start, method = models.build("digits-net", (1, 8, 8), 10), AT(PGD(Linf(0.1), steps=2))
    model = models.build("digits-net", (1, 8, 8), 10)
    model.load_state_dict(start.state_dict())
    model.train()
    batch = a_batch()
    (attacked,) = method.craft(model, batch, Memory())
    weights = list(model.parameters())
    before = [weight.detach().clone() for weight in weights]
    for weight, slope in zip(
        weights, torch.autograd.grad(cross_entropy(model(attacked), batch.labels).mean(), weights), strict=True
    ):
        if weight.ndim > 1:
            weight.data += 0.01 * weight.data.norm() / slope.norm() * slope
    there = torch.autograd.grad(cross_entropy(model(attacked), batch.labels).mean(), weights)
    found = stepped(AWP(method, gamma=0.01), start)
    for (name, _), old, slope in zip(model.named_parameters(), before, there, strict=True):
        assert torch.allclose(found[name], old - 0.1 * slope, atol=1e-6), name


def test_moved_weights_are_as_far_as_gamma_and_come_back_after_an_error() -> None:
    model = nn.Linear(4, 3)
    before = model.weight.detach().clone()
    model(torch.randn(5, 4)).square().sum().backward()  # type: ignore[no-untyped-call]
    with moved(model, 0.2):
        assert math.isclose(float((model.weight.detach() - before).norm()), 0.2 * float(before.norm()), rel_tol=1e-5)
    assert torch.equal(model.weight, before)
    with pytest.raises(KeyError), moved(model, 0.2):
        raise KeyError
    assert torch.equal(model.weight, before)
