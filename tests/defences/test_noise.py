"""Noise at test time: its mean, its deviation, and how far it reaches."""

import math

import torch

from holdfast.defences import Noise

GREY = torch.full((4, 3, 64, 64), 0.5)


def test_noise_has_no_mean_and_the_asked_deviation() -> None:
    torch.manual_seed(0)
    noise = Noise(0.05, largest=math.inf)(GREY) - GREY
    assert abs(float(noise.mean())) < 4 * 0.05 / math.sqrt(GREY.numel())
    torch.testing.assert_close(noise.std(), torch.tensor(0.05), rtol=0.02, atol=0)


def test_no_pixel_is_moved_further_than_said_nor_out_of_range() -> None:
    torch.manual_seed(0)
    moved = (Noise()(GREY) - GREY).abs()
    torch.testing.assert_close(moved.amax(), torch.tensor(16 / 255))
    reached = (moved > 16 / 255 - 1e-6).float().mean()  # where a normal number is beyond 1.2549 deviations
    torch.testing.assert_close(reached, torch.tensor(math.erfc(16 / 255 / 0.05 / math.sqrt(2))), rtol=0.03, atol=0)
    black = Noise(10.0, largest=math.inf)(torch.zeros(1, 1, 8, 8))
    assert set(black.flatten().tolist()) >= {0.0, 1.0}


def test_what_the_noise_brings_to_a_wall_keeps_its_gradient() -> None:
    torch.manual_seed(0)
    images = torch.full((1, 1, 16, 16), 16 / 255, requires_grad=True)
    moved = Noise()(images)
    assert moved.eq(0).any()
    (gradient,) = torch.autograd.grad(moved.sum(), images)
    assert gradient.eq(1).all()
