"""The networks whose errors under corruptions others are divided by, which makes a mean corruption error (mCE)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """The errors that corruption errors are divided by, each the mean over the five severities."""

    data: str
    errors: Mapping[str, float]


BASELINES: Mapping[str, Baseline] = {
    "alexnet": Baseline(
        "imagenet-c",
        {
            "gaussian_noise": 0.886428, "shot_noise": 0.894468, "impulse_noise": 0.922640, "defocus_blur": 0.819880,
            "glass_blur": 0.826268, "motion_blur": 0.785948, "zoom_blur": 0.798360, "snow": 0.866816,
            "frost": 0.826572, "fog": 0.819324, "brightness": 0.564592, "contrast": 0.853204,
            "elastic_transform": 0.646056, "pixelate": 0.717840, "jpeg_compression": 0.606500,
        },
    ),
}  # fmt: skip
"""torchvision's AlexNet on all 50,000 images of ImageNet-C, by name."""
