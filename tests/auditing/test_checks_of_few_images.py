"""Checks that are shown a few images: one or two of them are no reason to accuse a network that hides nothing."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.auditing.checks_attacks import Breaks, flat_curve
from holdfast.auditing.part import Part


def linear() -> nn.Module:
    """Return a network whose margin is twice the distance of the first pixel from a half."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]))
        network[1].bias.copy_(torch.tensor([-0.5, 0.5]))
    return network


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
