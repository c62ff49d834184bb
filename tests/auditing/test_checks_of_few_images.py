"""Checks that are shown a few images: one or two of them are no reason to accuse a network that hides nothing."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.auditing.checks_attacks import Breaks, flat_curve, unbounded_fails
from holdfast.auditing.checks_gradients import wrong_gradients, zero_gradients
from holdfast.auditing.findings import Finding, above_for
from holdfast.auditing.part import Part


def linear() -> nn.Module:
    """Return a network whose margin is twice the distance of the first pixel from a half."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]))
        network[1].bias.copy_(torch.tensor([-0.5, 0.5]))
    return network


def flat_where_dark(images: Tensor) -> Tensor:
    """Answer as the linear network; where the first pixel is dark, without a gradient."""
    answers = linear()(images)
    return torch.where(images[:, :1, 0, 0] < 0.3, answers.detach(), answers)


def pixels(*first: float) -> Tensor:
    """Return images with these first pixels, and grey ones beside them."""
    images = torch.full((len(first), 1, 2, 2), 0.5)
    images[:, 0, 0, 0] = torch.tensor(first)
    return images


@pytest.mark.parametrize(("near", "far"), [(1, 9), (4, 1)], ids=str)
def test_one_image_that_falls_or_stands_is_no_plateau(near: int, far: int) -> None:
    network, images = linear(), pixels(*[0.51] * near, *[0.95] * far)
    found = flat_curve(Part(network, network, images, network(images).argmax(1)), Linf(8 / 255), Breaks())
    assert found.state == "passed"


def test_three_images_that_fall_and_three_that_stand_are_a_plateau() -> None:
    network, images = linear(), pixels(*[0.51] * 3, *[0.95] * 3)
    found = flat_curve(Part(network, network, images, network(images).argmax(1)), Linf(8 / 255), Breaks())
    assert (found.state, found.figure, found.criterion) == ("raised", 0.5, 0.4)


OF_A_SHARE: dict[str, Callable[[Part], Finding]] = {
    "zero gradients": lambda some: zero_gradients(some, Linf(0.01)),
    "wrong gradients": wrong_gradients,
    "unbounded attack fails": lambda some: unbounded_fails(some, Linf(0.01)),
}


@pytest.mark.parametrize("check", OF_A_SHARE.values(), ids=OF_A_SHARE)
@pytest.mark.parametrize(("dark", "light", "state"), [(2, 7, "passed"), (3, 7, "raised"), (2, 0, "raised")])
def test_a_share_of_the_images_is_three_of_them_or_all(
    dark: int, light: int, state: str, check: Callable[[Part], Finding]
) -> None:
    images = pixels(*[0.2] * dark, *[0.8] * light)
    network = flat_where_dark
    found = check(Part(network, network, images, network(images).argmax(1)))
    assert found.state == state
    assert found.figure == pytest.approx(dark / (dark + light))


def test_a_share_that_is_no_number_raises_a_doubt() -> None:
    assert above_for(0, 5, 0.1, math.nan, "").state == "raised"
