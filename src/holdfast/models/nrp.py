"""The purifiers of NRP (Naseer et al.: "A self-supervised approach for adversarial robustness", 2020).

"NRP" is the generator of ESRGAN (Wang et al., 2018) without its upsampling: 16,550,275 parameters with 23 blocks.
"NRP_resG" has plain residual blocks: 1,702,211. Neither has a last activation. At rest the answer is clamped to [0, 1],
as the released script does; in training it is not, since a pixel beyond the range would have no gradient back.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from holdfast.box import boxed
from holdfast.errors import require
from holdfast.types import Images


class NRP(nn.Module):
    """The purifier of NRP (Naseer et al., 2020): residual blocks of residual dense blocks."""

    layers: ClassVar[dict[str, str]] = {"stem": "first", "trunk": "trunk"}

    def __init__(self, *, channels: int = 3, width: int = 64, growth: int = 32, blocks: int = 23) -> None:
        super().__init__()
        _check(width=width, growth=growth, blocks=blocks)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.trunk = nn.Sequential(*(DenseBlocks(width, growth) for _ in range(blocks)))
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, images: Images) -> Images:
        """Return images of the same size."""
        return _ended(self, self.last(self.trunk(self.first(images))))


class ResidualNRP(nn.Module):
    """The small purifier of NRP (Naseer et al., 2020): residual blocks of two convolutions."""

    layers: ClassVar[dict[str, str]] = {"stem": "first", "trunk": "trunk"}

    def __init__(self, *, channels: int = 3, width: int = 64, blocks: int = 23) -> None:
        super().__init__()
        _check(width=width, blocks=blocks)
        self.first = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.1))
        self.trunk = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, images: Images) -> Images:
        """Return images of the same size."""
        return _ended(self, self.last(self.trunk(self.first(images))))


class DenseBlocks(nn.Module):
    """Three residual dense blocks, added to what they are given."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        added: Tensor = features + 0.2 * self.blocks(features)
        return added


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it answered; the last is added to what is given."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        outputs = (growth, growth, growth, growth, width)
        self.convolutions = nn.ModuleList(
            _small(nn.Conv2d(width + place * growth, count, 3, padding=1)) for place, count in enumerate(outputs)
        )
        self.relu = nn.LeakyReLU(0.2)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        seen = [features]
        for convolution in self.convolutions[:-1]:
            seen.append(self.relu(convolution(torch.cat(seen, 1))))
        added: Tensor = features + 0.2 * self.convolutions[-1](torch.cat(seen, 1))
        return added


class Residual(nn.Module):
    """Two convolutions without batch norm, added to what they are given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (_small(nn.Conv2d(width, width, 3, padding=1)) for _ in range(2))
        self.convolutions = nn.Sequential(first, nn.ReLU(), second)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        added: Tensor = features + self.convolutions(features)
        return added


def _small(convolution: nn.Conv2d) -> nn.Conv2d:
    """Return the convolution with a tenth of He's weights and no biases, as ESRGAN begins."""
    nn.init.kaiming_normal_(convolution.weight)
    with torch.no_grad():
        convolution.weight.mul_(0.1)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


def _ended(network: nn.Module, answer: Tensor) -> Images:
    """Return the answer as images."""
    pixels = answer.float()
    return pixels if network.training else boxed(pixels)


def _check(**counts: int) -> None:
    for name, count in counts.items():
        require(count >= 1, f"{name} = {count}, not 1 or more")
