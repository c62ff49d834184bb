"""The attacks of AutoAttack beside the authors' own algorithms (pyautoattack, a repackaging of them)."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf, load
from holdfast.attacks import APGD, APGDT, FABT, Square
from holdfast.attacks.apgd import schedule
from holdfast.objectives import cross_entropy, dlr
from holdfast.threats import Threat
from tests.conftest import Small

pyautoattack = pytest.importorskip("pyautoattack")
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted  # noqa: E402
from pyautoattack.fab_pt import FABAttack_PT  # noqa: E402
from pyautoattack.square import SquareAttack  # noqa: E402

pytestmark = pytest.mark.oracle

THREATS = [pytest.param(Linf(0.08), "Linf", id="Linf"), pytest.param(L2(0.5), "L2", id="L2")]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Return a network trained for a moment against noise, so that some images break and some hold."""
    torch.manual_seed(0)
    network, train = Small(), load("digits", "train")
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for batch in train.batches(64, train.order_of(0, 0).repeat(4)):
        noisy = (batch.images + 0.1 * torch.randn_like(batch.images)).clamp(0, 1)
        loss = cross_entropy(network(noisy), batch.labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def right(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Return test images that the network gets right, and their labels."""
    test = load("digits", "test", limit=120)
    kept = network(test.images).argmax(1) == test.labels
    return test.images[kept], test.labels[kept]


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
    # and a comparison at a checkpoint may then fall the other way.
    apart = (ours - best)[held].abs().flatten(1).amax(1)
    assert float(apart.max() if norm == "Linf" else apart.median()) < 1e-5
    assert float(apart.max()) < 2e-3


@pytest.mark.parametrize(("threat", "norm"), THREATS)
def test_apgd_t_breaks_what_the_authors_breaks(
    threat: Threat, norm: str, network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    broken = []
    for seed in range(2):
        judge = APGDAttack_targeted(
            copy.deepcopy(network), norm=norm, eps=threat.eps, n_iter=40, seed=seed, device="cpu"
        )
        theirs = judge.perturb(images, labels)
        ours = APGDT(threat, steps=40, seed=seed)(network, images, labels)
        broken.append([int((network(x).argmax(1) != labels).sum()) for x in (ours, theirs)])
    ours_count, theirs_count = (sum(counts) for counts in zip(*broken, strict=True))
    assert abs(ours_count - theirs_count) <= 2


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


def test_square_breaks_what_the_authors_breaks(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right
    threat, broken = Linf(0.06), []
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
        theirs = judge.perturb(images, labels)
        ours = Square(threat, queries=300, seed=seed)(network, images, labels)
        broken.append([int((network(x).argmax(1) != labels).sum()) for x in (ours, theirs)])
    ours_count, theirs_count = (sum(counts) for counts in zip(*broken, strict=True))
    # The authors' code never puts a square at the last row or column, which costs it much on eight pixels a side.
    assert 0 < theirs_count < 3 * len(labels)
    assert theirs_count - 3 <= ours_count <= theirs_count + 0.1 * 3 * len(labels)


def test_the_side_of_a_square_is_the_published_one() -> None:
    sides = [Square().side(query, 32, 32) for query in (1, 10, 11, 51, 201, 501, 1001, 2001, 4001)]
    assert sides == [29, 29, 20, 14, 10, 7, 5, 4, 3]


def test_checkpoints_are_the_published_ones() -> None:
    assert list(schedule(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
