"""Fast-AT, N-FGSM, GradAlign and the guard: how far they go, what they price, when the weights go back."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from holdfast import L2, Linf, models
from holdfast.attacks import BIM, FGSM, PGD
from holdfast.attacks.presets import bim, fast, madry
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from holdfast.methods import AT, NFGSM, FreeAT, GradAlign, Guarded, Memory, Method, Standard, Update
from holdfast.training.dependencies import Lineage
from holdfast.training.state import Updates
from holdfast.types import Batch, Terms

from .single_steps import Line, Recorder

EPS = 0.1
NOTHING = Lineage({}, (1, 8, 8), 10, torch.device("cpu"))


@pytest.fixture
def network() -> nn.Module:
    return models.build("digits-net", (1, 8, 8), 10).eval()


@pytest.fixture
def batch() -> Batch:
    data = made_up_images((1, 8, 8), "train").subset(torch.arange(12))
    return Batch(data.take(torch.arange(12)), data.labels, torch.arange(12))


def test_presets_say_the_step_by_how_many_fill_the_ball() -> None:
    assert bim(Linf(0.3), 10, 40) == BIM(Linf(0.3), steps=40, step_size=0.3 / 10)
    assert madry(Linf(0.3), 10, 40) == PGD(Linf(0.3), steps=40, step_size=0.3 / 10)
    assert fast(Linf(0.2)) == PGD(Linf(0.2), steps=1, step_size=0.25)
    with pytest.raises(BadValue, match="n1 = 0"):
        bim(Linf(0.3), 0, 10)


def test_madry_without_its_noise_is_bim(network: nn.Module, batch: Batch) -> None:
    start = batch.images.clone()
    attacked = madry(Linf(EPS), 4, 6)(network, batch.images, batch.labels, start)
    assert torch.equal(attacked, bim(Linf(EPS), 4, 6)(network, batch.images, batch.labels))


def test_n_fgsm_leaves_the_ball_but_not_by_more_than_it_says(network: nn.Module, batch: Batch) -> None:
    model = Recorder(network)
    NFGSM(Linf(EPS)).loss(model, batch, Memory())
    change = (model.shown[-1] - batch.images).abs()
    assert 2 * EPS < float(change.max()) <= 3 * EPS + 1e-6
    assert float(model.shown[-1].min()) >= 0
    assert float(model.shown[-1].max()) <= 1


def test_n_fgsm_without_noise_is_fgsm(network: nn.Module, batch: Batch) -> None:
    model = Recorder(network)
    NFGSM(Linf(EPS), noise=0.0).loss(model, batch, Memory())
    assert torch.equal(model.shown[-1], FGSM(Linf(EPS))(network, batch.images, batch.labels))


def test_n_fgsm_takes_balls_wider_than_the_box(network: nn.Module, batch: Batch) -> None:
    assert float(NFGSM(Linf(0.5)).loss(network, batch, Memory())["attacked"].detach()) > 0


@pytest.mark.parametrize("sure", [1.0, 20.0, 60.0, 1e4])
def test_gradients_that_do_not_turn_cost_nothing(sure: float, batch: Batch) -> None:
    two = Batch(batch.images, batch.labels % 2, batch.index)
    model = Line(sure * torch.randn(8, 8))
    terms = GradAlign(FGSM(Linf(EPS))).loss(model, two, Memory())
    assert terms["turned"].item() < 1e-5
    (reached,) = torch.autograd.grad(terms["turned"], [model.weights])
    assert bool(reached.isfinite().all())


def test_signs_and_clamps_are_for_linf_alone() -> None:
    for kind in (FreeAT, NFGSM):
        method: Any = kind()
        object.__setattr__(method, "threat", L2(0.5))  # past the tests' type checker, which users do not have
        with pytest.raises(BadValue, match="is defined for Linf, not L2"):
            method.__post_init__()


def test_the_price_of_turning_is_that_of_a_plain_reckoning_and_reaches_the_weights(
    network: nn.Module, batch: Batch
) -> None:
    model = Recorder(network)
    terms = GradAlign(FGSM(Linf(EPS)), weight=0.5).loss(model, batch, Memory())
    elsewhere = model.shown[2]  # after the attack and the clean images
    gradients = []
    for images in (batch.images, elsewhere):
        x = images.clone().requires_grad_()
        (found,) = torch.autograd.grad(nn.functional.cross_entropy(network(x), batch.labels, reduction="sum"), x)
        gradients.append(found.flatten(1))
    one, other = gradients
    cosine = (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))
    assert float((elsewhere - batch.images).abs().max()) <= EPS + 1e-6
    assert float(terms["turned"].detach()) == pytest.approx(0.5 * float((1 - cosine).mean()), rel=1e-4)
    (reached,) = torch.autograd.grad(terms["turned"], [next(network.block1.parameters())])  # type: ignore[attr-defined]
    assert float(reached.abs().sum()) > 0


@dataclass(frozen=True)
class Breaks(Method):
    """A method that ruins the network at its fourth step and otherwise lets it be."""

    def remember(self, model: nn.Module, train_set: object, finished: object) -> Memory:
        return Memory(count=torch.zeros((), dtype=torch.int64))

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        memory.count += 1
        if int(memory.count) == 4:
            with torch.no_grad():
                for weight in model.parameters():
                    weight.zero_()
        return {"loss": torch.zeros(())}


def test_when_robustness_falls_the_weights_go_back(batch: Batch) -> None:
    model = Line(torch.full((8, 8), 1.0))
    heights = model(batch.images)[:, 1]
    level = heights.median().item()
    with torch.no_grad():
        batch = Batch((batch.images - (level / 64 - 0.0)).clamp(0, 1), batch.labels, batch.index)
    labels = model(batch.images).argmax(1)
    batch = Batch(batch.images, labels, batch.index)
    before = model.weights.clone()
    method = Guarded(Breaks(), probe=PGD(Linf(1e-4), steps=2), every=2, drop=0.2)
    memory = method.remember(model, made_up_images((1, 8, 8), "train"), NOTHING)
    update = Updates({"model": model}, {"model": torch.optim.SGD(model.parameters(), 0.1)})
    told = [method.step(model, batch, memory, update) for _ in range(4)]
    assert not torch.equal(model.weights, before)
    told.append(method.step(model, batch, memory, update))
    told.append(method.step(model, batch, memory, update))
    assert [float(terms["collapses"]) for terms in told] == [0, 0, 0, 0, 1, 0]
    assert float(told[0]["probe_error"]) < 0.2
    assert torch.equal(model.weights, before)


def test_a_network_that_holds_is_left_alone_and_its_weights_are_kept(network: nn.Module, batch: Batch) -> None:
    method = Guarded(AT(FGSM(Linf(EPS))), every=1, drop=1.0)
    memory = method.remember(network, made_up_images((1, 8, 8), "train"), NOTHING)
    update = Updates({"model": network}, {"model": torch.optim.SGD(network.parameters(), 0.01)})
    for _ in range(3):
        held = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        method.step(network, batch, memory, update)
    assert all(torch.equal(tensor, memory.held.state_dict()[name]) for name, tensor in held.items())
    assert int(memory.steps) == 3


def test_the_guard_looks_in_the_ball_of_its_method() -> None:
    assert Guarded(AT(FGSM(Linf(0.2)))).watch() == PGD(Linf(0.2), steps=5)
    assert Guarded(NFGSM(Linf(0.1))).watch() == PGD(Linf(0.1), steps=5)
    assert Guarded(AT(FGSM(Linf(0.2))), probe=PGD(Linf(0.1))).watch() == PGD(Linf(0.1))
    with pytest.raises(BadValue, match="give a probe: Standard has no threat of its own"):
        Guarded(Standard())


@pytest.mark.parametrize("wrong", [{"every": 0}, {"drop": 0.0}])
def test_fields_out_of_range_are_one_line(wrong: dict[str, float]) -> None:
    with pytest.raises(BadValue, match=next(iter(wrong))):
        Guarded(**wrong)  # type: ignore[arg-type]
