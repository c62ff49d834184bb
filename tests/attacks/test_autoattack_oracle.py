"""The attacks of AutoAttack beside the authors' own algorithms (pyautoattack, a repackaging of them)."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import APGD, APGDT, FAB, FABT, Square
from holdfast.attacks.apgd import schedule
from holdfast.attacks.apgd_l1 import balls
from holdfast.attacks.climbing import evaluate
from holdfast.attacks.watched import Watched
from holdfast.errors import BadValue
from holdfast.objectives import cross_entropy, dlr, is_correct, targeted_dlr
from holdfast.passes import counting
from holdfast.rng import Stream
from holdfast.threats import Threat
from holdfast.types import Objective

pyautoattack = pytest.importorskip("pyautoattack")
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted, L1_projection  # noqa: E402
from pyautoattack.fab_pt import FABAttack_PT  # noqa: E402
from pyautoattack.square import SquareAttack  # noqa: E402

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
    broken, ours = attack.climb(Watched(network, labels), images, labels, attack.first(images, own))
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
        broken, ours = attack.climb(Watched(Noisy(network, shifts), labels), images, labels, start)
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
        broken, x = attack.climb(Watched(network, pairs), images, pairs, start)
        assert torch.equal(network(x).argmax(1) != labels, broken)
        found += int(broken.sum())
    assert found > 10


def paired(ours: list[Tensor], theirs: list[Tensor]) -> tuple[float, float]:
    """Return how many images more ours breaks, and the standard error of that; a row of flags a seed, seeds paired.

    The error adds two, in squares: that of the images, from the mean over seeds of each image's difference, and that of
    the seeds, from the counts.
    """
    mine, other = torch.stack(ours).float(), torch.stack(theirs).float()
    seeds, n = mine.shape
    images = n * (mine - other).mean(0).var()
    drawn = (mine.sum(1).var() + other.sum(1).var()) / seeds
    return float((mine - other).mean(0).sum()), float((images + drawn).sqrt())


@pytest.mark.parametrize(("threat", "norm"), [*THREATS, pytest.param(L1(2.0), "L1", id="L1")])
def test_apgd_t_breaks_what_the_authors_breaks(
    threat: Threat, norm: str, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right[0][:80], right[1][:80]
    setting = {"norm": norm, "eps": threat.eps, "n_iter": 20, "n_target_classes": 5, "use_largereps": norm == "L1"}
    ours, theirs = [], []
    for seed in range(3):
        judge = APGDAttack_targeted(copy.deepcopy(network), seed=seed, device="cpu", **setting)
        theirs.append(~is_correct(network(judge.perturb(images, labels)), labels))
        found = APGDT(threat, 20, 5, seed=seed)(network, images, labels)
        assert float(threat.distance(found, images).max()) <= threat.eps + 1e-5
        ours.append(~is_correct(network(found), labels))
    assert 10 < int(torch.stack(theirs).sum()) < 3 * len(labels) - 10
    difference, error = paired(ours, theirs)
    assert abs(difference) <= 3 * error + 1
    assert error < 4  # it would tell five images of a hundred


@pytest.mark.parametrize(("threat", "norm"), [*THREATS, pytest.param(L1(4.0), "L1", id="L1")])
def test_fab_t_finds_ways_as_short_as_the_authors(
    threat: Threat, norm: str, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right[0][:60], right[1][:60]
    judge = FABAttack_PT(
        copy.deepcopy(network), norm=norm, eps=threat.eps, n_iter=20, n_restarts=1, targeted=True, device="cpu"
    )
    theirs = judge.perturb(images, labels)
    ours = FABT(type(threat)(math.inf), steps=20)(network, images, labels)
    lengths = [threat.distance(x, images) for x in (ours, theirs)]
    assert bool((network(ours).argmax(1) != labels).all())
    broken = lengths[1] > 0  # the authors' code gives up what is longer than eps
    assert int(broken.sum()) > 10
    assert float((lengths[0][broken] / lengths[1][broken]).median()) == pytest.approx(1.0, abs=0.02)
    within = lengths[0] <= threat.eps
    assert abs(int(within.sum()) - int((broken & (lengths[1] <= threat.eps)).sum())) <= 2


def test_fab_starts_again_as_often_as_the_authors(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:40], right[1][:40]
    threat = L2(0.5)
    judge = FABAttack_PT(
        copy.deepcopy(network), norm="L2", eps=threat.eps, n_iter=6, n_restarts=3, seed=0, device="cpu"
    )
    theirs = judge.perturb(images, labels)
    spent, ways = [], []
    for restarts in (1, 3):
        with counting() as passes:
            ours = FAB(threat, steps=6, restarts=restarts)(network, images, labels)
        ways.append(ours)
        spent.append(passes.forwards)
    broken = [int((network(x).argmax(1) != labels).sum()) for x in (*ways, theirs)]
    assert abs(broken[1] - broken[2]) <= 1
    assert broken[0] <= broken[1]
    held = len(labels) - broken[1]
    assert spent[1] - spent[0] >= 2 * 12 * held  # each restart costs six steps of two passes for what still holds
    first, again = (ways[k][network(ways[1]).argmax(1) == labels] for k in (0, 1))
    assert not torch.equal(first, again)  # a shorter way was found for some, though none inside the ball
    with pytest.raises(BadValue, match="finite eps"):
        FAB(L2(math.inf), restarts=2)


def test_square_breaks_what_the_authors_breaks(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    threat, ours, theirs = Linf(0.06), [], []
    for seed in range(3):
        judge = SquareAttack(
            copy.deepcopy(network),
            norm="Linf",
            eps=threat.eps,
            n_queries=300,
            resc_schedule=False,
            seed=seed,
            device="cpu",
        )
        theirs.append(~is_correct(network(judge.perturb(images, labels)), labels))
        ours.append(~is_correct(network(Square(threat, queries=300, seed=seed)(network, images, labels)), labels))
    assert 0 < int(torch.stack(theirs).sum()) < 3 * len(labels)
    # The authors' code never puts a square at the last row or column, which costs it much on eight pixels a side.
    difference, error = paired(ours, theirs)
    assert -3 * error - 1 <= difference <= 0.1 * len(labels)


def test_the_side_of_a_square_is_the_published_one() -> None:
    sides = [Square().side(query, 32, 32) for query in (1, 10, 11, 51, 201, 501, 1001, 2001, 4001)]
    assert sides == [29, 29, 20, 14, 10, 7, 5, 4, 3]


def test_checkpoints_are_the_published_ones() -> None:
    assert list(schedule(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
