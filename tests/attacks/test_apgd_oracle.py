"""APGD beside the authors' own algorithm (pyautoattack, a repackaging of it)."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import APGD
from holdfast.attacks.apgd import schedule
from holdfast.attacks.apgd_l1 import balls
from holdfast.attacks.climbing import evaluate
from holdfast.attacks.watched import Watched
from holdfast.errors import BadValue
from holdfast.objectives import cross_entropy, dlr, targeted_dlr
from holdfast.passes import counting
from holdfast.rng import Stream
from holdfast.threats import Threat
from holdfast.types import Objective

pyautoattack = pytest.importorskip("pyautoattack")
from pyautoattack.autopgd_base import APGDAttack, L1_projection  # noqa: E402

pytestmark = pytest.mark.oracle

THREATS = [pytest.param(Linf(0.08), "Linf", id="Linf"), pytest.param(L2(0.5), "L2", id="L2")]


@pytest.fixture(scope="module")
def network(trained: tuple[nn.Module, Tensor, Tensor]) -> nn.Module:
    """Return a network trained for a moment against noise, so that some images break and some hold."""
    return trained[0]


@pytest.fixture(scope="module")
def right(trained: tuple[nn.Module, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return test images that the network gets right, and their labels."""
    return trained[1:]


@pytest.mark.parametrize(("threat", "norm"), THREATS)
@pytest.mark.parametrize(("objective", "loss"), [(cross_entropy, "ce"), (dlr, "dlr")], ids=["ce", "dlr"])
def test_apgd_goes_where_the_authors_goes(
    threat: Threat, norm: str, objective: type, loss: str, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    start = threat.project(images + 0.02 * torch.randn_like(images), images)
    ours = APGD(threat, objective=objective)(network, images, labels, start)
    judge = APGDAttack(copy.deepcopy(network), norm=norm, eps=threat.eps, loss=loss, device="cpu")
    judge.init_hyperparam(images)
    best, held, _, _ = judge.attack_single_run(images, labels, x_init=start.clone())
    held = held.bool()
    assert torch.equal(network(ours).argmax(1) == labels, held)
    assert 0 < int(held.sum()) < len(held)
    # An image that holds has taken all hundred steps, through every checkpoint. Lengths in L2 are rounded otherwise,
    # and a comparison at a checkpoint may then fall the other way, for few images.
    apart = (ours - best)[held].abs().flatten(1).amax(1)
    assert float(apart.max() if norm == "Linf" else apart.median()) < 1e-5
    assert float((apart < 1e-4).float().mean()) > 0.7


@pytest.mark.parametrize("eps", [0.5, 4.0, 40.0])
def test_l1_projection_is_the_authors(eps: float) -> None:
    center, change = torch.rand(60, 3, 6, 6), torch.randn(60, 3, 6, 6)
    ours = L1(eps).project(center + change, center)
    theirs = center + change + L1_projection(center, change.clone(), eps)
    # They search a running sum over all pixels, which costs digits where eps is small beside it; we halve an interval.
    assert torch.allclose(ours, theirs, atol=4e-5)
    distances = [L1(eps).distance(x, center) for x in (ours, theirs)]
    assert torch.allclose(*distances, atol=1e-4)
    assert float(distances[0].max()) <= eps + 1e-5


@pytest.mark.parametrize(("objective", "loss"), [(cross_entropy, "ce"), (dlr, "dlr")], ids=["ce", "dlr"])
def test_apgd_in_l1_goes_where_the_authors_goes(
    objective: Objective, loss: str, network: nn.Module, right: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = right
    attack, own = APGD(L1(2.0), objective=objective), Stream.of(images, 0, "start")
    broken, ours, _ = attack.climb(Watched(network, labels), images, labels, attack.first(images, own))
    judge = APGDAttack(copy.deepcopy(network), norm="L1", eps=2.0, loss=loss, device="cpu", use_largereps=True)
    judge.init_hyperparam(images)
    monkeypatch.setattr("pyautoattack.autopgd_base.check_zero_gradients", lambda *_, **__: None)
    monkeypatch.setattr(torch, "randn_like", lambda _: own.normal(images.shape[1:]))  # their start, from our numbers
    best, held, _, _ = judge.decr_eps_pgd(images, labels, [6.0, 4.0, 2.0], [30, 30, 40])
    assert torch.equal(~broken, held.bool())
    assert 10 < int(broken.sum()) < len(broken) - 10
    # The sparsity follows a count, and the climb a comparison: a last digit may turn either, for few images.
    apart = (ours - best)[~broken].abs().flatten(1).amax(1)
    assert float(apart.median()) < 1e-5
    assert float((apart < 1e-5).float().mean()) > 0.9
    assert float(attack.threat.distance(ours, images).max()) <= 2.0 + 1e-5
    assert float(ours.min()) >= 0
    assert float(ours.max()) <= 1


def test_a_start_without_a_change_says_nothing_of_sparsity(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:20], right[1][:20]
    attack = APGD(L1(1.0), steps=1)  # one step, in the last ball only
    found = attack.climb(Watched(network, labels), images, labels, images)[1]
    moved = (found != images).flatten(1).sum(1)
    x = images.clone().requires_grad_()
    gradient = torch.autograd.grad(cross_entropy(network(x), labels).sum(), x)[0]
    size = gradient.abs().flatten(1)
    # A fifth of 64 values: 13 of the largest slope; those at a wall of the box stay.
    least = size.topk(13, dim=1).values[:, -1:]
    up = (gradient.flatten(1) > 0) & (images.flatten(1) < 1) | (gradient.flatten(1) < 0) & (images.flatten(1) > 0)
    assert torch.equal(moved, ((size >= least) & up).sum(1))


def test_the_balls_of_l1_are_the_published_ones() -> None:
    threat = L1(2.0)
    assert balls(threat, 100) == [(L1(6.0), 30), (L1(4.0), 30), (threat, 40)]
    assert balls(threat, 8) == [(L1(6.0), 3), (L1(4.0), 3), (threat, 2)]
    for steps in range(1, 30):
        found = balls(threat, steps)
        assert sum(budget for _, budget in found) == steps
        assert all(budget >= 1 for _, budget in found)
        assert found[-1][0] is threat


class Noisy(nn.Module):
    """A network that answers otherwise at every call: the images are shifted by the next of a list of numbers."""

    def __init__(self, network: nn.Module, shifts: list[float]) -> None:
        super().__init__()
        self.network, self.shifts, self.calls = network, shifts, 0

    def forward(self, images: Tensor) -> Tensor:
        shift = self.shifts[self.calls % len(self.shifts)]
        self.calls += 1
        return self.network(images + shift * torch.linspace(-1, 1, 8))


@pytest.mark.parametrize(("threat", "norm"), THREATS)
def test_draws_average_the_gradient_as_the_authors_do(
    threat: Threat, norm: str, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    start = threat.project(images + 0.02 * torch.randn_like(images), images)
    shifts = (0.3 * torch.randn(3 * 21)).tolist()
    judge = APGDAttack(
        Noisy(network, shifts), norm=norm, eps=threat.eps, n_iter=20, loss="ce", eot_iter=3, device="cpu"
    )
    judge.init_hyperparam(images)
    best, held, _, _ = judge.attack_single_run(images, labels, x_init=start.clone())
    attack = APGD(threat, steps=20, draws=3)
    with counting() as spent:
        broken, ours, _ = attack.climb(Watched(Noisy(network, shifts), labels), images, labels, start)
    assert torch.equal(~broken, held.bool())
    assert 0 < int(broken.sum()) < len(broken)
    assert float((ours - best)[~broken].abs().flatten(1).amax(1).median()) < 1e-5
    assert spent.forwards == spent.backwards
    assert spent.forwards % 3 == 0
    once = replace(attack, draws=1).climb(Watched(Noisy(network, shifts), labels), images, labels, start)[1]
    assert float((once - ours).abs().max()) > 0.01


def test_the_gradient_of_draws_is_their_mean(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    shifts = [0.3, -0.2, 0.1]
    alone = [
        evaluate(Watched(Noisy(network, [shift]), labels), images, labels, cross_entropy).gradient for shift in shifts
    ]
    mean = evaluate(Watched(Noisy(network, shifts), labels), images, labels, cross_entropy, draws=3).gradient
    assert torch.allclose(mean, torch.stack(alone).mean(0), atol=1e-6)
    assert not torch.allclose(mean, alone[2], atol=1e-2)


def test_draws_change_nothing_where_the_network_always_answers_the_same(
    network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right[0][:40], right[1][:40]
    for attack in (APGD(Linf(0.08), steps=15), APGD(L1(2.0), steps=15)):
        with counting() as one:
            expected = attack(network, images, labels)
        with counting() as three:
            found = replace(attack, draws=3)(network, images, labels)
        assert torch.allclose(found, expected, atol=1e-5)
        assert three.backwards == 3 * one.backwards
        assert three.forwards - len(images) == 3 * (one.forwards - len(images))
    with pytest.raises(BadValue, match="draws = 0"):
        APGD(draws=0)


@pytest.mark.parametrize("threat", [Linf(0.08), L2(0.5), L1(2.0)], ids=str)
def test_what_apgd_calls_broken_is_broken(threat: Threat, network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    # A break is any wrong class, the objective one of them: the breaking point is often not the best one.
    pairs = torch.stack([labels, (labels + 5) % 10], 1)
    found = 0
    for seed in range(3):
        start = threat.project(images + 0.05 * torch.randn_like(images), images)
        attack = APGD(threat, steps=20, objective=targeted_dlr, seed=seed)
        broken, x, _ = attack.climb(Watched(network, pairs), images, pairs, start)
        assert torch.equal(network(x).argmax(1) != labels, broken)
        found += int(broken.sum())
    assert found > 10


def test_checkpoints_are_the_published_ones() -> None:
    assert list(schedule(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
