"""Total variation after dropping values: constant images, an edge by hand, the objective's optimum, holes filled."""

import pytest
import torch

from holdfast.defences import TotalVariation


def variation(images: torch.Tensor) -> torch.Tensor:
    """Return the sum of the lengths of each image's differences, channel by channel."""
    down, right = torch.zeros_like(images), torch.zeros_like(images)
    down[:, :, :-1], right[..., :-1] = images.diff(dim=2), images.diff(dim=3)
    return torch.stack((down, right)).norm(dim=0).sum((1, 2, 3))


def test_an_image_of_one_colour_stays_so() -> None:
    torch.manual_seed(0)
    images = torch.tensor([0.2, 0.5, 1.0]).reshape(1, 3, 1, 1).expand(2, 3, 9, 8)
    torch.testing.assert_close(TotalVariation()(images), images, rtol=0, atol=1e-6)


def test_two_halves_come_nearer_by_what_the_objective_says() -> None:
    # One row of 2k values, k at a and k at b: each half moves by weight / (2k) towards the other.
    images = torch.tensor([0.2] * 4 + [0.8] * 4).reshape(1, 1, 1, 8)
    moved = 0.08 / (2 * 4)
    expected = torch.tensor([0.2 + moved] * 4 + [0.8 - moved] * 4).reshape(1, 1, 1, 8)
    after = TotalVariation(weight=0.08, keep=1.0, steps=500)(images)
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-4)


def test_nothing_near_is_better_than_what_is_found() -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 2, 8, 8)
    found = TotalVariation(keep=1.0, steps=400)(images)
    cost = (found - images).square().sum((1, 2, 3)) + 0.03 * variation(found)
    for size in (1e-1, 1e-2, 1e-3):
        near = found + size * torch.randn(50, *found.shape)
        others = (near - images).square().sum((2, 3, 4)) + 0.03 * variation(near.flatten(0, 1)).reshape(50, 3)
        assert (others > cost - 1e-5).all()


def test_dropped_values_are_filled_smoothly() -> None:
    torch.manual_seed(0)
    slope = (torch.arange(16) / 15).expand(4, 1, 16, 16).contiguous()
    after = TotalVariation()(slope)
    assert (after - slope).abs().mean() < 0.05
    assert (variation(after) < variation(slope + 0.05 * torch.randn_like(slope))).all()


def test_the_stand_in_has_a_finite_gradient_also_where_nothing_differs() -> None:
    images = torch.full((1, 1, 6, 6), 0.5)
    images[0, 0, :, 3:] = 0.8
    images.requires_grad_(True)
    (gradient,) = torch.autograd.grad(TotalVariation().stand_in(images)[0, 0, 2, 1], images)
    assert gradient.isfinite().all()
    # A value is drawn from those around it as well as from itself.
    assert (gradient[0, 0, 1:4, 0:3] > 0).sum() > 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_stand_in_has_a_gradient_on_a_channel_of_one_wall(value: float) -> None:
    images = torch.full((1, 1, 6, 6), value, requires_grad=True)
    (gradient,) = torch.autograd.grad(TotalVariation().stand_in(images)[0, 0, 2, 1], images)
    assert gradient[0, 0, 2, 1] > 0


def test_the_stand_in_draws_what_draws_are_on_average() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 1, 8, 8)
    mean = torch.stack([TotalVariation()(images) for _ in range(200)]).mean(0)
    near = (TotalVariation().stand_in(images) - mean).abs().mean()
    assert near < 0.8 * (images - mean).abs().mean()
