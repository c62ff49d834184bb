"""AWP: a law without perturbation, and one step against its plain derivation."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from holdfast import Linf, models, train
from holdfast.attacks import FGSM, PGD
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
from holdfast.storage.describe import describe
from holdfast.storage.signed import read_state
from holdfast.training.state import Updates
from tests.training.moment import BASE

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


def test_the_released_codes_difference_of_weights_is_the_step_taken_and_vectors_stay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 36, 3))
    images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    cross_entropy(model(images), labels).mean().backward()
    climbed = copy.deepcopy(model)  # v: one step of plain ascent, at the released code's rate
    climber = torch.optim.SGD(climbed.parameters(), lr=0.01, maximize=True)
    for there, here in zip(climbed.parameters(), model.parameters(), strict=True):
        there.grad = here.grad
    climber.step()
    before = [weight.detach().clone() for weight in model.parameters()]
    with moved(model, 0.01):
        for w, v, now in zip(before, climbed.parameters(), model.parameters(), strict=True):
            delta = 0.01 * w.norm() / ((v - w).norm() + 1e-20) * (v - w) if w.ndim > 1 else torch.zeros_like(w)
            assert torch.allclose(now - w, delta, atol=1e-6)


def test_a_warm_up_trains_as_the_method_and_then_moves(tmp_path: Path) -> None:
    run = replace(BASE, epochs=3, options=(("width", 4),), method=AT(PGD(Linf(0.1), steps=2)))
    ends = {
        (gamma, warm_up, epochs): train(
            replace(run, epochs=epochs, method=AWP(run.method, gamma, warm_up)),
            tmp_path / f"{gamma}-{warm_up}-{epochs}",
        ).state_dict()
        for gamma, warm_up, epochs in ((0.0, 0, 2), (0.2, 2, 2), (0.0, 0, 3), (0.2, 2, 3))
    }

    def same(one: tuple[float, int, int], other: tuple[float, int, int]) -> bool:
        return all(torch.equal(ends[one][name], ends[other][name]) for name in ends[one])

    assert same((0.0, 0, 2), (0.2, 2, 2))
    assert not same((0.0, 0, 3), (0.2, 2, 3))
    assert "warm_up" not in str(describe(AWP()))


def test_a_warm_up_counts_the_images_of_an_epoch_and_not_the_extra_ones(tmp_path: Path) -> None:
    extra = np.random.default_rng(0).integers(0, 256, (400, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "extra.npz", image=extra, label=np.arange(400) % 10)
    run = replace(BASE, data="made-up:3x8x8", extra=f"npz:{tmp_path / 'extra.npz'}", epochs=1)
    train(replace(run, method=AWP(AT(FGSM(Linf(0.1))), warm_up=1)), tmp_path / "run")
    assert int(read_state(tmp_path / "run" / "last.pt", "")["memory"]["left"]) == 0
