"""The one-pixel attack: plain loops and brute force."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0
from holdfast.attacks import OnePixel
from holdfast.attacks.one_pixel import three
from holdfast.objectives import Towards, cross_entropy
from holdfast.rng import Stream
from tests.attacks.networks import Held


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
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(72, 4)), torch.rand(20, 3, 4, 6)
    with torch.no_grad():
        network[1].bias -= network(images).mean(0)  # no class wins everywhere
        labels = network(images).argmax(1)
        attack = OnePixel(L0(3), population=9, generations=6, seed=2)
        attacked, stream = attack(network, images, labels), Stream.of(images, 2, "OnePixel")
        through = network(attacked).argmax(1) != labels
        assert 0 < int(through.sum()) < 20
        for place in range(20):
            alone = evolve(attack, network, images[place], int(labels[place]), stream[torch.tensor([place])])
            assert torch.equal(attacked[place], alone)


def test_the_first_members_lie_in_every_row_and_column() -> None:
    images = torch.rand(4, 3, 7, 9)
    places = OnePixel(population=400).founders(images, Stream.of(images, 0))[..., :2].flatten(0, 2).long()
    assert [places[:, axis].unique().tolist() for axis in (0, 1)] == [list(range(7)), list(range(9))]


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
