"""Square in L2 and L1, SPSA, the one-pixel attack and JSMA: laws, plain loops, brute force, and the authors' Square."""

import copy
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf, load
from holdfast.attacks import JSMA, SPSA, Attack, OnePixel, Square
from holdfast.attacks.attack import Watched
from holdfast.attacks.one_pixel import three
from holdfast.attacks.square_windows import bumps, corners, exchange, mound, signs, tiles
from holdfast.errors import BadValue
from holdfast.objectives import Towards, cross_entropy, distance, margin
from holdfast.passes import counting
from holdfast.streams import Stream
from holdfast.threats import Threat
from tests.conftest import Small

CPU = torch.device("cpu")


class Held(nn.Module):
    """A linear network whose class 0 wins by so much that no change of the image takes it away."""

    def __init__(self, values: int, classes: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(values, classes))

    def forward(self, images: Tensor) -> Tensor:
        lead = torch.zeros(self.weight.shape[1]).index_fill(0, torch.tensor(0), 100.0)
        return images.flatten(1) @ self.weight + lead


def middle(*shape: int) -> Tensor:
    """Return images so far from 0 and 1 that a small change is not cut."""
    return 0.45 + 0.1 * torch.rand(shape)


def norms(change: Tensor, order: int) -> Tensor:
    """Return the norm of each channel, in float64."""
    return torch.linalg.vector_norm(change.double(), order, dim=(2, 3))


# Square


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network trained for a moment on digits, and test images that it gets right with their labels."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network, train, test = Small(), load("digits", "train"), load("digits", "test", limit=100)
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        for batch in train.batches(64, train.order_of(0, 0).repeat(3)):
            noisy = (batch.images + 0.1 * torch.randn_like(batch.images)).clamp(0, 1)
            optimizer.zero_grad()
            cross_entropy(network(noisy), batch.labels).mean().backward()
            optimizer.step()
    right = network.eval()(test.images).argmax(1) == test.labels
    return network, test.images[right], test.labels[right]


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
        with pytest.raises(BadValue, match="give a finite eps"):
            Square(kind(math.inf))(Held(25), middle(1, 1, 5, 5), torch.zeros(1, dtype=torch.int64))


# SPSA


def test_the_estimate_becomes_the_gradient_with_many_samples() -> None:
    network, images = Held(25), middle(7, 1, 5, 5)
    labels = torch.zeros(7, dtype=torch.int64)
    x = images.clone().requires_grad_()
    true = torch.autograd.grad(margin(network(x).double(), labels).sum(), x)[0]

    def error(samples: int) -> float:
        attack, own = SPSA(samples=samples, delta=0.02), Stream.of(images, 0)
        found = attack.gradient(Watched(network, labels), images, labels, own)
        return float((found - true).norm() / true.norm())

    # On a plane a pair gives <g, v> v exactly, whose mean has a relative error of the root of (d - 1) / samples.
    for samples in (24, 384, 6144):
        with torch.no_grad():
            assert error(samples) == pytest.approx(math.sqrt(24 / samples), rel=0.35)


class Valley(nn.Module):
    """A network that class 0 always wins, by a lead that is least at the image `bottom`."""

    def __init__(self, bottom: Tensor) -> None:
        super().__init__()
        self.bottom = bottom

    def forward(self, images: Tensor) -> Tensor:
        lead = 1 + (images - self.bottom).flatten(1).square().sum(1)
        return torch.stack([lead, torch.zeros_like(lead)], 1)


def test_spsa_follows_its_own_steps() -> None:
    # Estimates around any point but the moving one (CleverHans: twice the image) run past the bottom to the ball's end.
    images = 0.4 + 0.2 * torch.rand(5, 1, 3, 3)
    bottom = images[:1] * 0 + 0.5
    attacked = SPSA(Linf(0.3), steps=120, samples=32)(Valley(bottom), images, torch.zeros(5, dtype=torch.int64))
    assert float((attacked - bottom).abs().max()) < 0.02
    assert float((attacked - images).abs().max()) < 0.15


@pytest.mark.parametrize("threat", [Linf(0.1), L2(0.4), L1(1.5)], ids=["Linf", "L2", "L1"])
def test_spsa_is_adam_on_the_estimates(threat: Threat) -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(25, 8), nn.Tanh(), Held(8)), middle(3, 1, 5, 5)
    labels, attack = torch.zeros(3, dtype=torch.int64), SPSA(threat, steps=5, samples=40, step_size=0.03, seed=3)
    attacked = attack(network, images, labels)
    stream = Stream.of(images, 3, "SPSA")
    for image in range(3):
        x = images[image].clone().requires_grad_()
        adam = torch.optim.Adam([x], 0.03)
        for step in range(5):
            own = stream[torch.tensor([image])].split(step)
            x.grad = torch.zeros_like(x)
            for first, count in ((0, 32), (32, 8)):
                for v in signs(own.split(first), (count, 1, 5, 5))[0]:
                    with torch.no_grad():
                        ends = network(torch.stack([x + 0.01 * v, x - 0.01 * v]))
                    lead = ends[:, 0] - ends[:, 1:].amax(1)  # Adam goes down, so it is the lead that it lowers
                    x.grad += (lead[0] - lead[1]) / 0.02 * v / 40
            adam.step()
            x.data = threat.project(x.data[None], images[image][None])[0]
        assert torch.allclose(attacked[image], x.data, atol=1e-4)


def test_spsa_lands_where_the_true_gradient_leads() -> None:
    network, images = Held(25, classes=2), middle(6, 1, 5, 5)
    attacked = SPSA(Linf(0.05), steps=30, samples=256)(network, images, torch.zeros(6, dtype=torch.int64))
    slope = (network.weight[:, 1] - network.weight[:, 0]).detach().view(1, 1, 5, 5)
    steep = slope.abs() > slope.abs().median()  # the estimate is as unsure of every value: it may miss the flat ones
    assert torch.allclose(attacked[:, steep[0]], (images + 0.05 * slope.sign())[:, steep[0]])


# One pixel


def test_three_different_members_are_drawn_evenly() -> None:
    stream = Stream.of(torch.rand(400, 1, 2, 2), 0)
    drawn = torch.stack(three(stream, 5), 2).flatten(0, 1)
    triples, counts = drawn.unique(dim=0, return_counts=True)
    assert sorted(map(tuple, triples.tolist())) == sorted(itertools.permutations(range(5), 3))
    expected = len(drawn) / 60
    assert float(((counts - expected) ** 2 / expected).sum()) < 59 + 4 * math.sqrt(2 * 59)  # chi-square


def evolve(attack: OnePixel, network: nn.Module, image: Tensor, label: int, stream: Stream) -> Tensor:
    """Return the image of Su et al.'s search, member for member, from the numbers of one image's stream."""
    (c, h, w), size = image.shape, attack.population
    pixels = math.ceil(attack.threat.eps / c)

    def painted(member: Tensor) -> Tensor:
        x = image.clone()
        for row, column, *colour in member.tolist():
            x[:, min(int(row), h - 1), min(int(column), w - 1)] = torch.tensor(colour)
        return x

    def fitness(x: Tensor) -> tuple[float, bool]:
        logits = network(x[None])[0]
        return -float(logits.softmax(0)[label]), int(logits.argmax()) != label

    founders = stream.split("founders")
    place = founders.split("place").uniform((size, pixels, 2))[0] * torch.tensor([h, w])
    colour = ((128 + 127 * founders.split("colour").normal((size, pixels, c))[0]) / 255).clamp(0, 1)
    pool = list(torch.cat([place, colour], 2))
    scores = [fitness(painted(member)) for member in pool]
    for generation in range(attack.generations):
        if any(wrong for _, wrong in scores):
            break
        r1, r2, r3 = (drawn[0].tolist() for drawn in three(stream.split(generation), size))
        children = [pool[a] + 0.5 * (pool[b] - pool[d]) for a, b, d in zip(r1, r2, r3, strict=True)]
        ends = torch.tensor([h, w, *[1.0] * c])
        children = [torch.minimum(child.clamp(min=0), ends) for child in children]
        found = [fitness(painted(child)) for child in children]
        if any(wrong for _, wrong in found):
            pool, scores = children, found
            break
        taken = [new[0] > old[0] for new, old in zip(found, scores, strict=True)]
        pool = [child if take else parent for child, parent, take in zip(children, pool, taken, strict=True)]
        scores = [new if take else old for new, old, take in zip(found, scores, taken, strict=True)]
    broken = [wrong for _, wrong in scores]
    ranked = [score if not any(broken) or wrong else -2.0 for (score, wrong) in scores]
    return painted(pool[max(range(size), key=ranked.__getitem__)])


def test_one_pixel_is_the_search_member_for_member() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(75, 4)), torch.rand(10, 3, 5, 5)
    with torch.no_grad():
        labels = network(images).argmax(1)
        attack = OnePixel(L0(6), population=9, generations=6, seed=2)
        attacked, stream = attack(network, images, labels), Stream.of(images, 2, "OnePixel")
        through = network(attacked).argmax(1) != labels
        assert 0 < int(through.sum()) < 10
        for place in range(10):
            alone = evolve(attack, network, images[place], int(labels[place]), stream[torch.tensor([place])])
            assert torch.equal(attacked[place], alone)


def test_one_pixel_finds_the_best_of_all_pixels() -> None:
    network, images, labels = Held(16), torch.rand(5, 1, 4, 4), torch.zeros(5, dtype=torch.int64)
    network.weight.data *= 10
    attacked = OnePixel(L0(1), population=60, generations=60)(network, images, labels)
    found = cross_entropy(network(attacked).double() - 0, labels)
    # The cross entropy of a linear network is convex in a pixel, so its highest value is at black or white.
    tries = images.flatten(1)[:, None, None].repeat(1, 16, 2, 1)
    for pixel, colour in itertools.product(range(16), range(2)):
        tries[:, pixel, colour, pixel] = colour
    every = cross_entropy(network(tries.view(-1, 1, 4, 4)), labels.repeat_interleave(32)).view(5, 32)
    assert torch.allclose(found.float(), every.amax(1), rtol=1e-4)


@pytest.mark.parametrize("eps", [0, 1, 2, 3, 4, 7, 200])
def test_one_pixel_counts_values(eps: int) -> None:
    network, images = Held(48), torch.rand(4, 3, 4, 4)
    attack = OnePixel(L0(eps), population=5, generations=2)
    attacked = attack(network, images, torch.zeros(4, dtype=torch.int64))
    changed = (attacked != images).flatten(1).sum(1)
    pixels = (attacked != images).any(1).flatten(1).sum(1)
    assert int(changed.max()) <= eps
    assert int(pixels.max()) <= math.ceil(eps / 3)
    assert eps == 0 or int(changed.min()) > 0


def test_of_two_pixels_at_one_place_the_last_covers() -> None:
    members = torch.tensor([[[1.2, 2.9, 0.25], [1.8, 2.0, 0.75]], [[4.0, 4.0, 0.5], [0.0, 3.99, 1.0]]])
    painted = OnePixel(L0(2)).paint(torch.zeros(2, 1, 4, 4), members)
    assert painted.nonzero().tolist() == [[0, 0, 1, 2], [1, 0, 0, 3], [1, 0, 3, 3]]
    assert painted[painted > 0].tolist() == [0.75, 1.0, 0.5]


def test_one_pixel_goes_where_it_is_told() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), torch.rand(12, 1, 4, 4)
    network[1].weight.data *= 3
    wanted = (network(images).argmax(1) + 1) % 3
    attack = OnePixel(L0(6), population=30, generations=20, objective=Towards(cross_entropy))
    assert float((network(attack(network, images, wanted)).argmax(1) == wanted).float().mean()) > 0.7


# JSMA


def by_brute_force(
    network: nn.Module, image: Tensor, label: int, wanted: int, theta: float, eps: int, reach: bool
) -> Tensor:
    """Return Papernot et al.'s image by a look at every pair, with the Jacobian of the probabilities in float64."""
    x, network = image.double().clone(), copy.deepcopy(network).double()
    free = {i for i in range(x.numel()) if (x.flatten()[i] < 1 if theta > 0 else x.flatten()[i] > 0)}
    for _ in range(eps // 2):
        answer = int(network(x[None]).argmax())
        if (answer == wanted) if reach else (answer != label):
            break
        jacobian = torch.autograd.functional.jacobian(lambda x: network(x[None]).softmax(1)[0], x).flatten(1)
        alpha, beta = jacobian[wanted], jacobian.sum(0) - jacobian[wanted]
        best, chosen = 0.0, None
        for p, q in itertools.combinations(sorted(free), 2):
            a, b = float(alpha[p] + alpha[q]), float(beta[p] + beta[q])
            if ((a > 0 > b) if theta > 0 else (a < 0 < b)) and -a * b > best:
                best, chosen = -a * b, (p, q)
        if chosen is None:
            break
        for i in chosen:
            x.view(-1)[i] = (x.view(-1)[i] + theta).clamp(0, 1)
            free.remove(i)
    return x.float()


@pytest.mark.parametrize("theta", [1.0, 0.3, -1.0])
@pytest.mark.parametrize("reach", [False, True], ids=["leave", "reach"])
def test_jsma_is_the_look_at_every_pair(theta: float, reach: bool) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(18, 12), nn.Tanh(), nn.Linear(12, 4))
    images = (1.4 * torch.rand(12, 2, 3, 3) - 0.2).clamp(0, 1)  # some values are at the wall from the start
    answers = network(images).detach()
    labels, beside = answers.argsort(1, descending=True)[:, :2].unbind(1)
    wanted = answers.argmin(1) if reach else beside
    objective = Towards(cross_entropy) if reach else cross_entropy
    attacked = JSMA(L0(7), theta=theta, objective=objective)(network, images, wanted if reach else labels)
    for place in range(12):
        goal = int(labels[place]), int(wanted[place])
        alone = by_brute_force(network, images[place], *goal, theta, 7, reach)
        assert torch.allclose(attacked[place], alone, atol=1e-6)
    changed = (attacked != images).flatten(1).sum(1)
    assert set(changed.tolist()) <= {0, 2, 4, 6}
    assert int(changed.max()) >= 4


def test_jsma_takes_a_value_that_harms_where_the_pair_helps_and_stops_where_none_does() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    network[1].weight.data = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, -1.0, -2.0, -3.0]])
    network[1].bias.data = torch.tensor([100.0, 0.0])
    attacked = JSMA(L0(4))(network, torch.full((1, 1, 2, 2), 0.5), torch.tensor([0]))
    assert attacked.flatten().tolist() == [1.0, 1.0, 0.5, 0.5]


def test_jsma_does_not_care_how_sure_the_network_is() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(20, 1, 4, 4)
    labels = network(images).argmax(1)
    attacked = JSMA(L0(6))(network, images, labels)
    network[1].weight.data *= 1024
    network[1].bias.data *= 1024
    assert bool((network(images).softmax(1).amin(1) == 0).any())
    assert torch.equal(JSMA(L0(6))(network, images, labels), attacked)
    assert bool((network(attacked).argmax(1) != labels).any())


def test_jsma_goes_on_from_a_start_within_its_budget(trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    whole = JSMA(L0(4))(network, images, labels)
    start = JSMA(L0(2))(network, images, labels)
    assert torch.equal(JSMA(L0(2))(network, images, labels, start), start)
    onward = JSMA(L0(4))(network, images, labels, start)
    assert int((onward != images).flatten(1).sum(1).max()) == 4
    assert int((network(onward).argmax(1) != labels).sum()) >= 0.8 * int((network(whole).argmax(1) != labels).sum())


# All of them


@pytest.mark.parametrize(
    ("attack", "forwards", "backwards"),
    [
        (Square(L2(0.3), queries=9), 1 + 9, 0),
        (Square(L1(1.0), queries=9), 1 + 9, 0),
        (SPSA(L2(0.3), steps=3, samples=37), 3 * (1 + 2 * 37), 0),
        (OnePixel(L0(3), population=7, generations=4), 1 + 7 * (4 + 1), 0),
        (JSMA(L0(9), theta=0.001), 1 + 4, 4),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Attack) else str(value),
)
def test_queries_are_what_is_written(attack: Attack, forwards: int, backwards: int) -> None:
    network, images, labels = Held(75), middle(6, 3, 5, 5), torch.zeros(6, dtype=torch.int64)
    labels[4:] = 1  # wrong from the start: one look each, and returned as they are
    with counting() as spent:
        attacked = attack(network, images, labels)
    assert spent.forwards == 4 * forwards + 2
    assert spent.backwards == 4 * backwards
    assert torch.equal(attacked[4:], images[4:])
    assert bool((attacked[:4] != images[:4]).flatten(1).any(1).all())


@pytest.mark.parametrize("kind", [SPSA, OnePixel])
def test_how_many_images_are_shown_at_once_changes_nothing(kind: type[Attack]) -> None:
    network, images, labels, shown = Held(48), torch.rand(3, 3, 4, 4), torch.zeros(3, dtype=torch.int64), []

    def watched(x: Tensor) -> Tensor:
        shown.append(len(x))
        return network(x)

    threat, fields = (Linf(0.1), {"steps": 3}) if kind is SPSA else (L0(3), {"generations": 3, "population": 20})
    many = kind(threat, **fields)(network, images, labels)
    few = kind(threat, **fields, rows=7)(watched, images, labels)
    assert torch.allclose(many, few, atol=1e-5)
    assert max(shown) == 7


def test_what_is_not_labels_is_climbed_too(small: nn.Module, images: Tensor) -> None:
    clean = small.eval()(images).detach()
    attacks: tuple[Attack, ...] = (
        SPSA(Linf(0.1), steps=3, samples=8, objective=distance),
        OnePixel(L0(3), population=5, generations=2, objective=distance),
    )
    for attack in attacks:
        assert bool((F.mse_loss(small(attack(small, images, clean)), clean, reduction="none").mean(1) > 0).all())


def test_fields_out_of_range_are_refused() -> None:
    for kind, fields in (
        (SPSA, {"samples": 0}),
        (SPSA, {"delta": 0.0}),
        (SPSA, {"rows": 0}),
        (OnePixel, {"population": 2}),
        (OnePixel, {"generations": 0}),
        (JSMA, {"theta": 0.0}),
        (JSMA, {"objective": margin}),
    ):
        with pytest.raises(BadValue, match=next(iter(fields))):
            kind(**fields)
