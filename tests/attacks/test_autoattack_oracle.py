"""APGD-T, FAB and Square beside the authors' own algorithms (pyautoattack, a repackaging of them)."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import APGDT, FAB, FABT, Square
from holdfast.errors import BadValue
from holdfast.objectives import is_correct
from holdfast.passes import counting
from holdfast.threats import Threat

pyautoattack = pytest.importorskip("pyautoattack")
from pyautoattack.autopgd_base import APGDAttack_targeted  # noqa: E402
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
