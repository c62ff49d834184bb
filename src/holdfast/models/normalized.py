"""The step from pixels in [0, 1] to what a network was trained on, kept inside the network.

Attacks and threats then live in [0, 1] whatever the network wants, and the statistics are saved with its weights.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from holdfast.errors import UnknownName, require
from holdfast.models.thermometer import LEVELS, Thermometer
from holdfast.types import Images, Outputs

Statistics = float | Sequence[float] | Tensor
"""A mean or deviation: one number, one a channel, or one a pixel (c, h, w)."""

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)


class Normalized(nn.Module):
    """Subtracts `mean` and divides by `std`; a grey image is repeated where they have more channels."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Statistics = 0.0, std: Statistics = 1.0) -> None:
        super().__init__()
        self.register_buffer("mean", _shaped(mean, "mean"))
        self.register_buffer("std", _shaped(std, "std"))
        # Without values, as under torch.device("meta"), there is nothing to compare.
        require(self.std.is_meta or bool((self.std > 0).all()), f"std = {std}: deviations are above 0")

    def forward(self, images: Images) -> Outputs:
        """Return the normalised images."""
        return (images - self.mean) / self.std


class Standardized(nn.Module):
    """Subtracts from each image its own mean and divides by its own deviation, as Madry et al. (2018) do.

    The mean and the deviation are those of all N values of the image; the deviation is at least 1 / sqrt(N), so that an
    image of one colour becomes 0. Gradients pass through both.
    """

    per_image: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Weights without a word about it would be read into a network that normalises otherwise.
        self.register_buffer("per_image", torch.ones((), dtype=torch.int64))

    def forward(self, images: Images) -> Outputs:
        """Return the standardised images."""
        count = images.shape[1:].numel()
        centered = images - images.mean((1, 2, 3), keepdim=True)
        # The root of what is clamped, as the root of 0 has no gradient.
        return centered / centered.square().mean((1, 2, 3), keepdim=True).clamp_min(1 / count).sqrt()


NORMALIZATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "none": Normalized,
    "per-image": Standardized,
    "symmetric": partial(Normalized, 0.5, 0.5),
    "thermometer": Thermometer,
}
"""What `build(..., normalize=NAME)` knows; "symmetric" takes pixels to [-1, 1]."""
PRESETS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cifar10": (CIFAR10_MEAN, (0.2471, 0.2435, 0.2616)),  # as most public code rounds them
    "cifar10-kuangliu": (CIFAR10_MEAN, (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tiny-imagenet": ((0.4802, 0.4481, 0.3975), (0.2302, 0.2265, 0.2262)),
    "wong-kolter": ((0.485, 0.456, 0.406), (0.225, 0.225, 0.225)),
}
"""Means and deviations of colour images by the names of those who published with them; `normalize` knows them too."""
WIDENED = {"thermometer": LEVELS}
"""How many channels a network sees for each of the image's, where they are not as many."""


def normalization(name: str) -> nn.Module:
    """Return the normalisation of this name."""
    if name in PRESETS:
        return Normalized(*PRESETS[name])
    if name not in NORMALIZATIONS:
        raise UnknownName("normalization", name, {*NORMALIZATIONS, *PRESETS})
    return NORMALIZATIONS[name]()


def cifar_normalized(channels: int, mean: Statistics | None, std: Statistics | None) -> Normalized:
    """Normalise as asked; where nothing was asked, colour images by CIFAR-10's statistics and others not at all."""
    colour = channels == 3
    usual_mean: Statistics = CIFAR10_MEAN if colour else 0.0
    usual_std: Statistics = CIFAR10_STD if colour else 1.0
    return Normalized(usual_mean if mean is None else mean, usual_std if std is None else std)


def _shaped(values: Statistics, word: str) -> Tensor:
    """Shape the statistics so that they broadcast over a batch."""
    tensor = torch.as_tensor(values, dtype=torch.float32)
    require(
        tensor.ndim in (0, 1, 3),
        f"{word} has shape {tuple(tensor.shape)}: give one number, one a channel, or a mean image (c, h, w)",
    )
    return tensor.detach().clone()[None] if tensor.ndim == 3 else tensor.detach().clone().reshape(1, -1, 1, 1)
