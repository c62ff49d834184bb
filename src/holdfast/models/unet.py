"""The two U-Nets of the Pix2Pix purifier (Mezhoudi and Vu, 2022; paper 004), from images to images.

The paper draws them and prints no sizes, and its repository holds no code: both are reconstructions. A is the U-Net of
pix2pix (Isola et al.: "Image-to-image translation with conditional adversarial networks", 2017) with the levels that
32x32 allows, B the paper's description of its own. For colour images A has 16,659,075 parameters and B 4,175,779.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.pixels import RANGES, check_range, cropped, divisible, draw_weights
from holdfast.types import Images


class UNetA(nn.Module):
    """The U-Net of pix2pix (Isola et al., 2017) with five levels."""

    layers: ClassVar[dict[str, str]] = {"bottleneck": "bottleneck"}

    def __init__(
        self, *, channels: int = 3, width: int = 64, levels: int = 5, dropout: float = 0.5, output: str = "tanh"
    ) -> None:
        super().__init__()
        widths, self.output, self.levels = _widths(width, levels, 0, output), output, levels
        self.first = nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False)
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.LeakyReLU(0.2), _down(*pair), nn.BatchNorm2d(pair[1])) for pair in pairwise(widths[:-1])
        )
        self.bottleneck = nn.Sequential(nn.LeakyReLU(0.2), _down(*widths[-2:]))
        self.decoder = nn.ModuleList()
        for depth, (inputs, outputs) in enumerate(zip(widths[:0:-1], widths[-2::-1], strict=True)):
            given = inputs if depth == 0 else 2 * inputs
            self.decoder.append(nn.Sequential(nn.ReLU(), _up(given, outputs), nn.BatchNorm2d(outputs)))
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], channels, 4, 2, 1))
        draw_weights(self)

    def forward(self, images: Images) -> Images:
        """Return images of the same size, in [0, 1]."""
        into, back = RANGES[self.output]
        rows, columns = images.shape[2:]
        skips: list[Tensor] = [self.first(into(divisible(images, 2**self.levels)))]
        for level in self.encoder:
            skips.append(level(skips[-1]))
        x: Tensor = self.bottleneck(skips[-1])
        for depth, level in enumerate(self.decoder):
            x = level(x)
            x = torch.cat([self.dropout(x) if depth == 0 else x, skips.pop()], 1)
        return cropped(back(self.last(x)), rows, columns)


class UNetB(nn.Module):
    """The small U-Net of the Pix2Pix purifier (Mezhoudi and Vu, 2022): two convolutions and four levels."""

    layers: ClassVar[dict[str, str]] = {"stem": "stem", "bottleneck": "bottleneck"}

    def __init__(
        self, *, channels: int = 3, width: int = 32, levels: int = 4, dropout: float = 0.5, output: str = "tanh"
    ) -> None:
        super().__init__()
        widths, self.output, self.levels = [width, *_widths(width, levels, 1, output)], output, levels
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.encoder = nn.ModuleList(
            nn.Sequential(_down(*pair), nn.BatchNorm2d(pair[1]), nn.LeakyReLU(0.2)) for pair in pairwise(widths)
        )
        self.bottleneck = nn.Dropout(dropout)
        self.decoder = nn.ModuleList()
        for depth, (inputs, outputs) in enumerate(zip(widths[:0:-1], widths[-2::-1], strict=True)):
            given = inputs if depth == 0 else 2 * inputs
            self.decoder.append(nn.Sequential(_up(given, outputs), nn.BatchNorm2d(outputs), nn.ReLU()))
        self.last = nn.Conv2d(2 * width, channels, 3, padding=1)
        draw_weights(self)

    def forward(self, images: Images) -> Images:
        """Return images of the same size, in [0, 1]."""
        into, back = RANGES[self.output]
        rows, columns = images.shape[2:]
        skips: list[Tensor] = [self.stem(into(divisible(images, 2**self.levels)))]
        for level in self.encoder:
            skips.append(level(skips[-1]))
        x: Tensor = self.bottleneck(skips.pop())
        for level in self.decoder:
            x = torch.cat([level(x), skips.pop()], 1)
        return cropped(back(self.last(x)), rows, columns)


def _widths(width: int, levels: int, first: int, output: str) -> list[int]:
    """Return the channels of each level: twice those of the level above, at most eight times `width`."""
    require(width >= 1, f"width = {width}: a U-Net is at least 1 wide")
    require(levels >= 2, f"levels = {levels}: a U-Net has at least 2")
    check_range(output)
    return [width * min(2**level, 8) for level in range(first, first + levels)]


def _down(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)


def _up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
