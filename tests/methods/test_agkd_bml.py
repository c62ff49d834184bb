"""AGKD-BML: its parts against numbers worked out by hand, one step against a plain derivation, and its ablations."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import CropFlip, Linf, Run, Start, models, train
from holdfast.attacks import PGD
from holdfast.data import made_up_images
from holdfast.errors import BadValue, UnknownName
from holdfast.methods import AGKDBML, Borrowed, Memory, Origin, Pool, Standard
from holdfast.methods.attention import cam_average, channel_mean, channel_sum, grad_cam, min_max
from holdfast.methods.triplets import angular, sizes_of, triplet
from holdfast.models import capture
from holdfast.objectives import SmoothedCrossEntropy, Towards, cross_entropy
from holdfast.rng import Stream
from holdfast.storage.signed import read_state
from holdfast.training.optimizers import SGD
from holdfast.types import Batch

MAPS = torch.tensor([[[[1.0, 2], [3, 4]], [[0, 1], [0, 3]]], [[[2, 2], [0, 1]], [[0, 2], [1, 1]]]])
BASE = Run(data="made-up:1x8x8", limit=48, batch=16, epochs=1, optimizer=SGD(lr=0.05))


def test_attention_is_the_channel_sum_stretched_from_0_to_1() -> None:
    found = min_max(channel_sum(MAPS))
    wanted = torch.tensor([[[0, 1 / 3], [1 / 3, 1]], [[1 / 3, 1], [0, 1 / 3]]])
    assert torch.allclose(found, wanted, atol=1e-6)
    assert math.isclose(float((found[0] - found[1]).abs().mean()), 0.5, abs_tol=1e-6)
    assert torch.allclose(channel_mean(MAPS), channel_sum(MAPS) / 2)
    assert torch.allclose(min_max(channel_mean(MAPS)), found, atol=1e-6)


def test_a_flat_map_stretches_to_nothing() -> None:
    assert float(min_max(torch.full((1, 2, 2), 3.0)).abs().sum()) == 0


def test_features_without_positions_are_refused() -> None:
    with pytest.raises(BadValue, match=r"\(2, 5, 1, 1\)"):
        channel_sum(torch.zeros(2, 5, 1, 1))


def test_grad_cam_of_a_pooled_linear_head_is_its_weights() -> None:
    features, weights = torch.randn(3, 5, 4, 4, requires_grad=True), torch.randn(6, 5)
    logits, classes = features.mean((2, 3)) @ weights.T, torch.tensor([0, 5, 2])
    wanted = (weights[classes][:, :, None, None] * features).sum(1).relu() / 16
    assert torch.allclose(grad_cam(features, logits, classes), wanted, atol=1e-6)
    average = (weights.mean(0)[None, :, None, None] * features).sum(1)
    assert torch.allclose(cam_average(features, logits), average, atol=1e-5)


def test_triplets_and_sizes_are_those_worked_out_by_hand() -> None:
    a, p, n = (torch.tensor(rows) for rows in ([[1.0, 0], [3, 4]], [[0.6, 0.8], [4, 3]], [[-1.0, 0], [0, 5]]))
    assert torch.allclose(angular(a, p), torch.tensor([0.4, 0.04]), atol=1e-6)
    assert torch.allclose(angular(a, n), torch.tensor([0.0, 0.2]), atol=1e-6)
    assert math.isclose(float(triplet(a, p, n, 0.03).mean()), 0.215, abs_tol=1e-6)
    assert math.isclose(float(sizes_of(a, p, n, form="mean square")), 19.5, abs_tol=1e-5)
    assert math.isclose(float(sizes_of(a, form="l2")), 3.0, abs_tol=1e-6)


def test_an_embedding_of_nothing_is_at_a_finite_distance() -> None:
    assert float(angular(torch.zeros(1, 2), torch.ones(1, 2))) == 1


class Plain(nn.Module):
    """A network with a map of features, a pool and a linear head, so small that its step can be written out."""

    layers: ClassVar[dict[str, str]] = {"attention": "tail", "penultimate": "pool"}

    def __init__(self) -> None:
        super().__init__()
        self.tail = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.Tanh())
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.pool(self.tail(images)))
        return logits


def attacked_plainly(model: nn.Module, x: Tensor, wanted: Tensor, attack: PGD) -> Tensor:
    """Return images moved towards classes, with the random start that holdfast draws."""
    center, eps = x, attack.threat.eps
    x = attack.threat.random_start(center, Stream.of(center, 0, "PGD"))
    for _ in range(attack.steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), wanted), x)
        x = (x.detach() - (attack.step_size or 0) * gradient.sign()).clamp(center - eps, center + eps).clamp(0, 1)
    return x


def test_one_step_is_the_one_derived_plainly() -> None:
    torch.manual_seed(5)
    model, teacher = Plain(), Plain()
    train_set = made_up_images((1, 8, 8), "train", classes=4)
    place = torch.arange(8)
    x1, y1 = train_set.take(place), train_set.labels[place]
    attack = PGD(Linf(0.1), steps=2, step_size=0.05, objective=Towards(cross_entropy))
    method = AGKDBML(attack=attack, mart=6.0)
    memory = Memory(pool=Pool(train_set), teacher=teacher)
    found = method.loss(model, Batch(x1, y1, place), memory)

    t = model(x1).scatter(1, y1[:, None], -1e4).argmax(1)
    x2 = memory.pool.draw(t, Stream.of(x1, 0, "AGKDBML")).images
    assert torch.equal(train_set.labels[memory.pool.draw(t, Stream.of(x1, 0, "AGKDBML")).index], t)
    first, second = attacked_plainly(model, x1, t, attack), attacked_plainly(model, x2, y1, attack)

    def seen(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = network.tail(images)
        s = features.sum(1)
        s = s - s.amin((1, 2), keepdim=True)
        return s / s.amax((1, 2), keepdim=True), features.mean((2, 3)), network(images)

    (A1, E1, z1), (_, E0, z0), (A2, E2, _) = (seen(model, images) for images in (first, x1, second))
    T1, T2 = (seen(teacher, images)[0].detach() for images in (x1, x2))
    q = torch.full((8, 4), 0.5 / 3).scatter(1, y1[:, None], 0.5)
    d = [1 - F.cosine_similarity(E1, other).abs() for other in (E0, E2)]
    p, p1 = z0.softmax(1), z1.softmax(1)
    k = z1.scatter(1, y1[:, None], -1e4).argmax(1)
    rows = torch.arange(8)
    wanted = {
        "attacked": -(q * z1.log_softmax(1)).sum(1).mean(),
        "attention": (A1 - T1).abs().mean() + (A2 - T2).abs().mean(),
        "triplets": 2 * (0.03 + d[0] - d[1]).clamp_min(0).mean(),
        "norms": 0.002 * (E1.square().mean() + E0.square().mean() + E2.square().mean()),
        "boosted": -(1.0001 - p1[rows, k] + 1e-12).log().mean(),
        "robust": 6 * ((p * (p.log() - p1.log())).sum(1) * (1.0000001 - p[rows, y1])).mean(),
    }
    assert found.keys() == wanted.keys()
    for name, term in wanted.items():
        assert math.isclose(float(found[name].detach()), float(term.detach()), abs_tol=2e-6), name
    ours, plain = (torch.autograd.grad(sum(terms.values()), list(model.parameters())) for terms in (found, wanted))
    for one, other in zip(ours, plain, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("attention", ["sum", "mean", "grad-cam true", "grad-cam false", "cam average"])
def test_a_teacher_like_the_student_asks_for_nothing_on_images_that_no_attack_moves(attention: str) -> None:
    model, train_set = Plain(), made_up_images((1, 8, 8), "train", classes=4)
    still = PGD(Linf(0.0), steps=1, step_size=0.0, random_start=False, objective=Towards(cross_entropy))
    method = AGKDBML(attack=still, attention=attention)  # type: ignore[arg-type]
    batch = Batch(train_set.take(torch.arange(6)), train_set.labels[:6], torch.arange(6))
    terms = method.loss(model, batch, Memory(pool=Pool(train_set), teacher=copy.deepcopy(model)))
    assert float(terms["attention"].detach()) < 1e-6
    other = method.loss(model, batch, Memory(pool=Pool(train_set), teacher=Plain()))
    assert float(other["attention"].detach()) > 1e-3
    (gradient,) = torch.autograd.grad(other["attention"], [model.tail[0].weight])
    assert float(gradient.abs().sum()) > 0


def test_one_pass_and_three_differ_by_what_batch_norm_sees_alone() -> None:
    model, train_set = Plain(), made_up_images((1, 8, 8), "train", classes=4)
    batch = Batch(train_set.take(torch.arange(6)), train_set.labels[:6], torch.arange(6))
    memory = Memory(pool=Pool(train_set), teacher=Plain())
    one, three = (AGKDBML(passes=passes).loss(model, batch, memory) for passes in (1, 3))
    assert {name: float(term.detach()) for name, term in one.items()} == pytest.approx(
        {name: float(term.detach()) for name, term in three.items()}, abs=1e-6
    )


class Normed(Plain):
    """The same with batch norm, which shows what passed together."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Tanh())


@pytest.mark.parametrize("passes", [1, 3])
def test_batch_norm_sees_the_parts_at_once_or_one_by_one(passes: int) -> None:
    model, train_set = Normed().train(), made_up_images((1, 8, 8), "train", classes=4)
    batch = Batch(train_set.take(torch.arange(6)), train_set.labels[:6], torch.arange(6))
    method, memory = AGKDBML(attention_weight=0, passes=passes), Memory(pool=Pool(train_set))  # type: ignore[arg-type]
    crafted = method.craft(model, batch, memory)
    first, second = crafted[0].chunk(2)
    found = method.weigh(model, batch, memory, crafted)["norms"]
    parts = [first, batch.images, second]
    shown = [torch.cat(parts)] if passes == 1 else parts
    embedded = torch.cat([model.pool(model.tail(part)) for part in shown]).chunk(3)
    wanted = 0.002 * sum(float(part.detach().square().mean()) for part in embedded)
    assert math.isclose(float(found.detach()), wanted, rel_tol=1e-5)


class Lent:
    """A stand-in for the finished runs that a run names."""

    def __init__(self, network: nn.Module, augment: CropFlip | None) -> None:
        self.lent, self.augment, self.count = network, augment, 0

    def network(self, origin: Origin) -> nn.Module:
        return self.lent

    def folder(self, origin: Origin) -> Path:
        raise NotImplementedError

    def seen(self, origin: Origin, images: Tensor) -> Tensor:
        raise NotImplementedError


def test_the_memory_holds_the_network_of_the_run_and_draws_as_the_run_augments() -> None:
    lent, augment = Plain(), CropFlip(pad=1)
    train_set = made_up_images((1, 8, 8), "train", classes=4)
    memory = AGKDBML(teacher=BASE).remember(Plain(), train_set, Lent(lent, augment))
    assert memory.teacher.network is lent
    assert memory.pool.augment == augment


def test_a_layer_that_the_network_does_not_have_is_refused_before_training() -> None:
    train_set = made_up_images((1, 8, 8), "train", classes=4)
    with pytest.raises(UnknownName, match="blocks"):
        AGKDBML(layer="blocks").remember(Plain(), train_set, Lent(Plain(), None))
    AGKDBML(layer="blocks", attention_weight=0).remember(Plain(), train_set, Lent(Plain(), None))


def test_labels_that_say_nothing_are_refused() -> None:
    train_set = made_up_images((1, 8, 8), "train", classes=2)
    with pytest.raises(BadValue, match=r"smoothing = 0\.5"):
        AGKDBML().remember(Plain(), train_set, Lent(Plain(), None))


def test_ablations_leave_their_terms_out() -> None:
    model, train_set = Plain(), made_up_images((1, 8, 8), "train", classes=4)
    batch = Batch(train_set.take(torch.arange(6)), train_set.labels[:6], torch.arange(6))
    bml = AGKDBML(attention_weight=0).loss(model, batch, Memory(pool=Pool(train_set)))
    agkd = AGKDBML(metric_weight=0).loss(model, batch, Memory(pool=Pool(train_set), teacher=Plain()))
    assert bml.keys() == {"attacked", "triplets", "norms"}
    assert agkd.keys() == {"attacked", "attention"}


def test_the_equations_as_printed_weigh_the_norm_by_itself() -> None:
    model, train_set = Plain(), made_up_images((1, 8, 8), "train", classes=4)
    batch = Batch(train_set.take(torch.arange(6)), train_set.labels[:6], torch.arange(6))
    memory = Memory(pool=Pool(train_set), teacher=Plain())
    method = AGKDBML().as_printed()
    found = method.loss(model, batch, memory)
    attacked = method.craft(model, batch, memory)[0].chunk(2)
    with capture(model, "penultimate") as seen:
        lengths = [(model(images), seen["penultimate"].norm(dim=1).mean())[1] for images in (*attacked, batch.images)]
    assert math.isclose(float(found["norms"].detach()), 0.001 * float(sum(lengths).detach()), abs_tol=1e-6)
    x2 = memory.pool.draw(
        model(batch.images).scatter(1, batch.labels[:, None], -1e4).argmax(1), Stream.of(batch.images, 0, "AGKDBML")
    ).images
    pairs = zip(attacked, (batch.images, x2), strict=True)
    gaps = [(model.tail(a).mean(1) - memory.teacher.tail(c).mean(1)).abs().mean() for a, c in pairs]
    assert math.isclose(float(found["attention"].detach()), float(sum(gaps).detach()), abs_tol=1e-6)


def test_the_attack_must_go_to_a_class() -> None:
    with pytest.raises(BadValue, match="Towards"):
        AGKDBML(attack=PGD())


def test_the_teacher_is_the_run_that_is_named_and_is_not_written_down_again(tmp_path: Path) -> None:
    teacher = replace(BASE, method=Standard(SmoothedCrossEntropy(0.5)))
    run = replace(BASE, method=AGKDBML(teacher=teacher), start=Start(teacher), augment=CropFlip(pad=1))
    train(run, tmp_path / "run")
    kept = read_state(tmp_path / "run" / "last.pt", "")["memory"]
    assert not any(name.startswith("teacher") for name in kept)
    assert not any(name.startswith("pool") for name in kept)


def test_a_borrowed_network_takes_nothing_from_what_older_runs_wrote_down() -> None:
    network = models.build("digits-net", (1, 8, 8), 10)
    memory = Memory(teacher=Borrowed(network), count=torch.zeros(()))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    older = {f"teacher.{name}": torch.zeros_like(tensor) for name, tensor in before.items()}
    memory.load_state_dict(older | {"count": torch.ones(())})
    assert float(memory.count) == 1
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in before.items())
    assert memory.state_dict().keys() == {"count"}
