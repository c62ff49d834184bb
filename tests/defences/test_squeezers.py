"""Fewer bits and medians against their closed forms and another library."""

import pytest
import torch
from scipy import ndimage

from holdfast.defences import BitDepth, Median


def test_one_bit_is_black_or_white_and_two_bits_are_thirds() -> None:
    values = torch.tensor([0.0, 0.4, 0.6, 1.0]).reshape(1, 1, 2, 2)
    assert BitDepth(1)(values).flatten().tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(BitDepth(2)(values).flatten(), torch.tensor([0, 1 / 3, 2 / 3, 1]))
    levels = (torch.arange(256) / 255).reshape(1, 1, 16, 16)
    assert torch.equal(BitDepth(8)(levels), levels)


def test_the_median_of_a_square_by_hand() -> None:
    image = torch.tensor([[0.9, 0.1, 0.2], [0.3, 0.8, 0.4], [0.5, 0.6, 0.7]])[None, None]
    assert Median(3)(image)[0, 0, 1, 1] == torch.tensor(0.5)
    assert Median(2)(image)[0, 0, 1, 1] == torch.tensor(0.8)  # of 0.1, 0.3, 0.8, 0.9 the third


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 1, 7, 10), (1, 1, 2, 1)])
def test_medians_are_those_of_scipy(size: int, shape: tuple[int, ...]) -> None:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    theirs = ndimage.median_filter(images.numpy(), size=(1, 1, size, size), mode="reflect")
    assert torch.equal(Median(size)(images), torch.from_numpy(theirs))


def test_the_gradient_goes_to_the_value_in_the_middle() -> None:
    image = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)
    middle = Median(3)(image)[0, 0, 2, 3]
    (gradient,) = torch.autograd.grad(middle, image)
    assert torch.equal(gradient, (image == middle).float())
