"""SSIM: laws, a closed form, and equality with a plain loop over windows."""

import math

import numpy as np
import pytest
import torch

from holdfast.analysis.likeness import C1, ssim
from holdfast.errors import BadImages

IMAGES = torch.rand(3, 2, 14, 13, generator=torch.Generator().manual_seed(0))
OTHERS = (IMAGES + 0.1 * torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


def test_equal_images_have_one_and_the_order_does_not_matter() -> None:
    assert torch.equal(ssim(IMAGES, IMAGES), torch.ones(3))
    assert torch.allclose(ssim(IMAGES, OTHERS), ssim(OTHERS, IMAGES))
    assert ssim(IMAGES, OTHERS).max() < 1


def test_constant_images_differ_in_luminance_alone() -> None:
    low, high = torch.full((1, 1, 12, 12), 0.25), torch.full((1, 1, 12, 12), 0.75)
    expected = (2 * 0.25 * 0.75 + C1) / (0.25**2 + 0.75**2 + C1)
    assert float(ssim(low, high)) == pytest.approx(expected, rel=1e-6)


def test_it_is_the_mean_over_windows() -> None:
    bell = [math.exp(-((place - 5) ** 2) / 4.5) for place in range(11)]
    weights = np.outer(bell, bell) / sum(bell) ** 2
    found = []
    for x, y in zip(IMAGES[0].double().numpy(), OTHERS[0].double().numpy(), strict=True):
        for row in range(4):
            for column in range(3):
                a, b = (each[row : row + 11, column : column + 11] for each in (x, y))
                mx, my = (weights * a).sum(), (weights * b).sum()
                vx, vy = (weights * (a - mx) ** 2).sum(), (weights * (b - my) ** 2).sum()
                cov = (weights * (a - mx) * (b - my)).sum()
                top = (2 * mx * my + 1e-4) * (2 * cov + 9e-4)
                found.append(top / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert float(ssim(IMAGES[:1], OTHERS[:1])) == pytest.approx(np.mean(found), rel=1e-5)


def test_images_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(BadImages, match="10x20"):
        ssim(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))
