"""Two networks on the same images: counts, the interval of their difference, and when it is noise."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast import L2, Comparison, Linf, Report, audit, compare
from holdfast.auditing.comparison import paired_interval, two_sided
from holdfast.auditing.engine_state import CLEAN, STANDS
from holdfast.auditing.findings import Check
from holdfast.errors import UsageError
from holdfast.storage.fingerprint import name_of_tensors


def report(broken_by: list[int], seed: int = 0) -> Report:
    """Return a report on images that are the same whatever broke."""
    images = torch.rand(len(broken_by), 1, 4, 4, generator=torch.Generator().manual_seed(5))
    fate = torch.tensor(broken_by)
    moved = Linf(0.1).project(images + 0.2 * torch.randn(images.shape), images)
    adversarial = torch.where((fate > CLEAN)[:, None, None, None], moved, images)
    named = name_of_tensors({"images": images})
    return Report(Linf(0.1), "fast", seed, adversarial, fate, (), images_fingerprint=named)


def test_images_are_counted_by_who_stands() -> None:
    first = report([STANDS, STANDS, STANDS, 2, CLEAN, 1, STANDS])
    second = report([STANDS, 1, CLEAN, STANDS, 1, CLEAN, STANDS], seed=3)
    found = compare(first, second)
    assert (found.both, found.first_only, found.second_only, found.neither) == (2, 2, 1, 2)
    assert found.count == 7
    assert found.difference == pytest.approx(first.robust_accuracy - second.robust_accuracy)
    assert compare(second, first).difference == -found.difference


@pytest.mark.parametrize(
    ("counts", "ends"),
    [((36, 12, 2, 0), (0.0569, 0.3404)), ((36, 14, 0, 0), (0.1528, 0.4167))],
    ids=["36-12-2-0", "36-14-0-0"],
)
def test_the_interval_is_the_published_one(counts: tuple[int, int, int, int], ends: tuple[float, float]) -> None:
    assert paired_interval(*counts) == pytest.approx(ends, abs=1e-4)  # Newcombe (1998), table II, method 10


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    chances = torch.tensor([0.4, 0.12, 0.08, 0.4])
    drawn = torch.multinomial(chances, 3000 * 200, replacement=True).view(3000, 200)
    counts = torch.stack([(drawn == part).sum(1) for part in range(4)], 1).tolist()
    held = [low <= 0.04 <= high for low, high in (paired_interval(*each) for each in counts)]
    assert 0.935 < sum(held) / len(held) < 0.985


@pytest.mark.parametrize("counts", [(10, 0, 0, 0), (0, 0, 0, 10), (0, 10, 0, 0), (3, 0, 0, 4), (0, 5, 5, 0)])
def test_the_interval_of_one_sided_counts_is_one(counts: tuple[int, int, int, int]) -> None:
    found = Comparison(*counts)
    low, high = found.interval
    assert -1 <= low <= found.difference <= high <= 1
    swapped = Comparison(counts[0], counts[2], counts[1], counts[3]).interval
    assert swapped == pytest.approx((-high, -low))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 6), (3, 3), (2, 9), (40, 17)])
def test_the_p_value_is_that_of_a_fair_coin(first: int, second: int) -> None:
    count = first + second
    heads = [math.comb(count, k) for k in range(count + 1) if abs(2 * k - count) >= abs(first - second)]
    assert two_sided(first, second) == pytest.approx(sum(heads) / 2**count)


def test_many_images_do_not_overflow() -> None:
    assert two_sided(30000, 30000) == 1.0
    assert 0 <= two_sided(1000, 9000) < 1e-300


def test_noise_is_called_so_and_a_difference_by_who_is_better() -> None:
    noise, better = Comparison(400, 12, 10, 78), Comparison(400, 40, 10, 50, ("old", "new"))
    assert noise.is_noise
    assert "interval contains 0" in str(noise)
    assert not better.is_noise
    assert "old is robust on more images than new" in str(better)
    assert "noise" not in str(better)
    assert "new is robust on more images than old" in str(Comparison(400, 10, 40, 50, ("old", "new")))
    assert "+6.00 points" in str(better)


def test_a_network_compared_with_itself_is_noise() -> None:
    found = compare(report([STANDS, 1, CLEAN, STANDS]), report([STANDS, 1, CLEAN, STANDS]))
    assert found.is_noise
    assert found.difference == 0
    assert found.p_value == 1


def test_reports_with_other_labels_are_not_compared() -> None:
    images, labels, network = torch.rand(4, 1, 2, 5), torch.arange(4), nn.Flatten()
    one, other = (audit(network, images, each, Linf(0.01), "fast") for each in (labels, labels + 1))
    with pytest.raises(UsageError, match="labels"):
        compare(one, other)


def test_what_cannot_be_compared_is_refused() -> None:
    first = report([STANDS, 1, CLEAN, STANDS])
    with pytest.raises(UsageError, match="under"):
        compare(first, replace(first, threat=L2(0.1)))
    with pytest.raises(UsageError, match="effort"):
        compare(first, replace(first, effort="standard"))
    with pytest.raises(UsageError, match="bfloat16"):
        compare(first, replace(first, precision="bfloat16"))
    with pytest.raises(UsageError, match="different images"):
        compare(first, report([STANDS, 1, CLEAN]))


def test_a_random_network_holds_more_in_one_draw_only() -> None:
    one, other = report([STANDS] * 20), report([1] * 20)
    random = replace(one, checks=(Check("raised", 1.0, 0.1, "so", "random output"),))
    assert "one draw" not in compare(one, other).verdict
    assert "one draw" in compare(random, other).verdict


def test_images_that_lie_in_each_other_s_balls_are_other_images() -> None:
    """What is compared is a name made of every pixel: near images could pass for the same ones otherwise."""
    images, network = torch.rand(4, 1, 2, 5), nn.Flatten()
    labels = network(images).argmax(1)
    near = (images + 0.001).clamp_max(1)
    one, other = (audit(network, each, labels, Linf(0.3), "fast") for each in (images, near))
    assert one.images_fingerprint != other.images_fingerprint
    with pytest.raises(UsageError, match="different images"):
        compare(one, other)
