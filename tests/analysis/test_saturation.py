"""rho: closed forms on a network whose weakest direction is known, and the walk against a walk of its own."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast import ImageSet, Linf
from holdfast.analysis import BallSaturation, PathSaturation
from holdfast.analysis.saturation import rho
from holdfast.attacks.presets import bim
from holdfast.errors import BadValue


class Threshold(nn.Module):
    """Two classes, told apart by whether the mean pixel is above one half."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height = images.flatten(1).mean(1) - 0.5
        return torch.stack([-height, height], 1)


def set_of(*means: float) -> ImageSet:
    images = torch.stack([torch.full((1, 4, 4), mean) for mean in means])
    return ImageSet(images, (images.flatten(1).mean(1) > 0.5).long(), ("low", "high"))


def test_rho_is_each_error_over_the_last() -> None:
    assert rho([0.1, 0.2, 0.4]) == (0.25, 0.5, 1.0)
    assert all(math.isnan(each) for each in rho([0.0, 0.0]))


def test_along_the_way_an_image_falls_at_the_step_that_carries_it_over() -> None:
    # Steps of 0.03 from means 0.01, 0.05, 0.1, 0.2 below the threshold: over after 1, 2, 4 and 7 steps.
    data = set_of(0.49, 0.45, 0.4, 0.3)
    seen = PathSaturation(Linf(0.3), n1=10, counts=(0, 1, 2, 4, 7, 10))(Threshold(), data, 0)
    assert seen.series[""].y == (0.0, 0.25, 0.5, 0.75, 1.0, 1.0)
    assert seen.numbers["error at the end"] == 1.0


def test_a_zoom_shows_a_part_of_the_same_walk() -> None:
    whole = PathSaturation(Linf(0.3), n1=10, counts=(0, 1, 2, 4, 7, 10))
    seen = replace(whole, shown=(2, 4))(Threshold(), set_of(0.49, 0.45, 0.4, 0.3), 0)
    assert (seen.series[""].x, seen.series[""].y) == ((2.0, 4.0), (0.5, 0.75))
    with pytest.raises(BadValue, match="3"):
        replace(whole, shown=(2, 3))


def test_steps_that_fill_the_ball_all_reach_its_end() -> None:
    seen = BallSaturation(Linf(0.2), counts=(0, 1, 3, 30))(Threshold(), set_of(0.45, 0.35, 0.2, 0.9), 0)
    assert seen.series[""].x == (0.0, 1.0, 3.0, 30.0)
    assert seen.series[""].y == (0.0, 1.0, 1.0, 1.0)
    assert seen.numbers["error at the end"] == 0.5


def test_rho_begins_at_the_clean_error() -> None:
    data = set_of(0.45, 0.35, 0.2, 0.4)
    misread = ImageSet(data.images, torch.tensor([0, 0, 0, 1]), data.classes)  # the last is wrong from the start
    for looking in (BallSaturation(Linf(0.2), counts=(0, 30)), PathSaturation(Linf(0.2), n1=10, counts=(0, 30))):
        seen = looking(Threshold(), misread, 0)
        assert seen.series[""].y == pytest.approx((1 / 3, 1.0))
        assert seen.numbers["error at the end"] == 0.75


def test_stopping_on_the_way_walks_the_same_way(small: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    data = ImageSet(images, labels, tuple(map(str, range(10))))
    seen = PathSaturation(Linf(0.1), n1=4, counts=(0, 3, 8))(small, data, 0)
    small.eval()
    attacked = bim(Linf(0.1), 4, 8)(small, images, labels)
    assert seen.numbers["error at the end"] == pytest.approx(
        float((small(attacked).argmax(1) != labels).float().mean())
    )


@pytest.mark.parametrize("counts", [(), (3, 2), (-1, 4), (2, 2)])
def test_counts_rise(counts: tuple[int, ...]) -> None:
    with pytest.raises(BadValue, match="rise"):
        PathSaturation(counts=counts)
