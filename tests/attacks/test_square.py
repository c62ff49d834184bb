"""Square in L2 and L1: laws, a plain loop, and the authors' own."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L1, L2, Linf
from holdfast.attacks import Square
from holdfast.attacks.draws import Draws
from holdfast.attacks.square_windows import bumps, corners, exchange, mound, signs, tiles
from holdfast.errors import BadValue
from holdfast.objectives import margin
from holdfast.rng import Stream
from holdfast.threats import Threat
from tests.attacks.networks import Held, middle, norms

CPU = torch.device("cpu")


@pytest.mark.oracle
@pytest.mark.parametrize(("threat", "norm"), [(L2(0.5), "L2"), (L1(2.0), "L1")], ids=["L2", "L1"])
def test_square_breaks_what_the_authors_breaks(
    threat: Threat, norm: str, trained: tuple[nn.Module, Tensor, Tensor]
) -> None:
    judges = pytest.importorskip("pyautoattack.square")

    class Everywhere(judges.SquareAttack):  # type: ignore[misc, name-defined]
        """The authors' code, with squares at the last row and column too: it leaves them out, a fault on 8 pixels."""

        def random_int(self, low: int = 0, high: int = 1, shape: tuple[int, ...] = (1,)) -> Tensor:
            return torch.as_tensor(super().random_int(low, high + 1, shape))

    network, images, labels = trained
    broken = [0, 0]
    for seed in range(2):
        judge = Everywhere(
            copy.deepcopy(network), norm, n_queries=100, eps=threat.eps, seed=seed, resc_schedule=False, device=CPU
        )
        theirs = judge.perturb(images, labels)
        ours = Square(threat, queries=100, seed=seed)(network, images, labels)
        for place, x in enumerate((ours, theirs)):
            assert float(threat.distance(x, images).max()) <= threat.eps + 1e-6
            broken[place] += int((network(x).argmax(1) != labels).sum())
    # Measured over 4 seeds of 300 queries on 116 images: 121 and 123 in L2, 191 and 184 in L1. As published, without
    # the last row and column, theirs breaks 103 and 129.
    assert 0.1 * 2 * len(labels) < broken[1] < 0.9 * 2 * len(labels)
    assert abs(broken[0] - broken[1]) <= 0.05 * 2 * len(labels)


@pytest.mark.oracle
@pytest.mark.parametrize(("order", "norm"), [(2, "L2"), (1, "L1")], ids=["L2", "L1"])
def test_bumps_are_the_authors(order: int, norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = pytest.importorskip("pyautoattack.square").SquareAttack(None, norm, eps=1.0, device=CPU)
    for h, w in ((1, 3), (2, 5), (3, 5), (7, 14), (14, 29)):
        assert torch.allclose(mound(h, w, order, CPU), judge.eta_rectangles(h, w), atol=1e-6)
    for side in (1, 2, 3, 6, 8, 29):
        for turned in (0, 1):
            monkeypatch.setattr(torch, "rand", lambda _, turned=turned: torch.tensor([float(turned)]))
            assert torch.allclose(bumps(side, order, CPU)[turned], judge.eta(side), atol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
def test_tiles_are_bumps_of_unit_norm_with_a_margin_around(order: int) -> None:
    images = torch.rand(4, 3, 22, 23)
    change = tiles(images, order, Stream.of(images, 0))
    assert float(change[:, :, 0].abs().max()) == 0  # 5 tiles of 4 rows leave one above and one below
    assert float(change[:, :, 21].abs().max()) == 0
    tiled = change[:, :, 1:21, 1:21].unflatten(3, (5, 4)).unflatten(2, (5, 4))
    assert torch.allclose(norms(tiled.permute(0, 1, 2, 4, 3, 5).flatten(0, 3)[:, None], order), torch.ones(1).double())
    known = torch.cat([sign * bumps(4, order, CPU) for sign in (1, -1)])
    seen = (tiled.transpose(3, 4)[..., None, :, :] - known).abs().amax((-2, -1))
    assert bool((seen.min(-1).values < 1e-6).all())
    assert set(seen.argmin(-1).flatten().tolist()) == {0, 1, 2, 3}


def one_by_one(delta: Tensor, eps: float, order: int, side: int, stream: Stream) -> Tensor:
    """Return the changes of algorithm 3 by slices, channel for channel, in float64."""
    result, (n, c, h, w) = delta.double(), delta.shape
    first, second = corners(stream.split("first"), side, h, w), corners(stream.split("second"), side, h, w)
    turned = stream.split("turned").uniform((1,)) < 0.5
    colour = signs(stream.split("colour"), (c, 1, 1))
    for image in range(n):
        (top, left), (row, column) = ((int(place[image]) for place in where) for where in (first, second))
        here = (slice(top, top + side), slice(left, left + side))
        there = (slice(row, row + side), slice(column, column + side))
        before, bump = delta[image].double(), bumps(side, order, CPU)[int(turned[image])].double()
        total = float((before.abs() ** order).sum())
        for channel in range(c):
            old, kept = before[channel][here], before[channel].clone()
            kept[here], kept[there] = 0, 0
            windows = float((before[channel].abs() ** order).sum() - (kept.abs() ** order).sum())
            share = (max(eps**order - total, 0.0) / c + windows) ** (1 / order)
            length = float((old.abs() ** order).sum()) ** (1 / order)
            new = colour[image, channel].double() * bump + (old / length if length > 0 else 0)
            new = new / float((new.abs() ** order).sum()) ** (1 / order)
            result[image, channel] = kept
            result[image, channel][here] = new * share * (c if order == 1 else 1)
    return result


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("side", [2, 3, 5, 6])
def test_an_exchange_is_algorithm_3(order: int, side: int) -> None:
    delta = torch.randn(6, 3, 6, 9) * (torch.rand(6, 3, 6, 9) < 0.5)
    stream = Stream.of(torch.rand(6, 3, 6, 9), 0)
    for eps in (1.0, 50.0):  # less, and more than is there
        found = exchange(delta, eps, order, side, stream)
        assert torch.allclose(found.double(), one_by_one(delta, eps, order, side, stream), atol=1e-4)


@pytest.mark.parametrize(("order", "channels"), [(2, 3), (2, 1), (1, 1)])
def test_an_exchange_spends_the_whole_ball(order: int, channels: int) -> None:
    delta = 0.01 * torch.randn(8, channels, 9, 9)
    spent = exchange(delta, 5.0, order, 5, Stream.of(torch.rand(8, 1, 9, 9), 0))
    total = torch.linalg.vector_norm(spent.flatten(1), order, dim=1)
    assert torch.allclose(total, torch.full((8,), 5.0), atol=1e-4)


@pytest.mark.parametrize("threat", [L2(0.3), L1(1.0)], ids=["L2", "L1"])
def test_square_ends_on_the_sphere_and_no_query_loses(threat: Threat) -> None:
    images, labels, before = middle(6, 3, 12, 12), torch.zeros(6, dtype=torch.int64), torch.full((6,), -torch.inf)
    network = Held(3 * 12 * 12)
    for queries in (1, 5, 25, 60):  # the first queries of a longer search are a shorter one
        attacked = Square(threat, queries=queries)(network, images, labels)
        assert torch.allclose(threat.distance(attacked, images), torch.full((6,), threat.eps), rtol=1e-4)
        reached = margin(network(attacked), labels)
        assert bool((reached >= before).all())
        before = reached
    assert bool((before > margin(network(images), labels)).all())


def test_square_stays_in_the_ball_where_all_roundings_go_one_way() -> None:
    threat, images = L2(0.05), torch.linspace(0, 1, 20)[:, None, None, None].expand(20, 3, 96, 96)
    for sign in (1.0, -1.0):
        attacked = Square(threat).spend(images, torch.full_like(images, sign))
        length = torch.linalg.vector_norm((attacked.double() - images.double()).flatten(1), dim=1)
        assert float(length.max()) <= threat.eps * (1 + 1e-6)  # plain rounding goes up to 1 + 5e-5
        assert float(length[1:-1].min()) >= threat.eps * (1 - 1e-3)
    Square(threat, queries=3)(Held(3 * 96 * 96), images, torch.zeros(20, dtype=torch.int64))


def test_square_in_an_unbounded_ball_is_refused() -> None:
    for kind in (Linf, L2, L1):
        with pytest.raises(BadValue, match="finite eps"):
            Square(kind(math.inf))(Held(25), middle(1, 1, 5, 5), torch.zeros(1, dtype=torch.int64))


def test_numbers_drawn_together_are_those_that_each_query_draws_for_itself() -> None:
    stream = Stream.of(torch.rand(5, 1, 4, 4), 3)
    draws, rows = Draws(stream, 7, 4), torch.tensor([0, 2, 3])
    for query in range(7, 11):
        own, together = stream.split(query), draws.of(query)
        assert torch.equal(together.uniform((2,)), own.uniform((2,)))
        deep = own.split("place", 1).split("turned").uniform((3, 1, 2))
        assert torch.equal(together.split("place", 1).split("turned").uniform((3, 1, 2)), deep)
        fewer = draws.only(rows).of(query)
        assert torch.equal(fewer.split("place", 1).split("turned").uniform((3, 1, 2)), deep[rows])
        assert torch.equal(fewer.split("new").uniform((1,)), own[rows].split("new").uniform((1,)))
