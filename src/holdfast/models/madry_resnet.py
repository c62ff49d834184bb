"""The wide residual network of Madry et al. (2018) for CIFAR-10, which SML and Bilateral adversarial training use too.

Often called WRN-28-10 or w32-10: its five units a group make a depth of 34. It differs from `wide_resnet` in leaky
ReLUs, shortcuts without parameters, batch norms of a larger eps, a first unit that activates before it branches, and
images that are standardised one by one. 45,901,914 parameters with 10 classes.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Standardized
from holdfast.types import Images, Logits

SLOPE = 0.1
"""How steep the ReLUs are below 0."""


class MadryResNet(nn.Module):
    """The wide residual network of adversarial training on CIFAR-10 (Madry et al., 2018)."""

    layers: ClassVar[dict[str, str]] = {
        "stem": "stem",
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "features": "tail",
        "attention": "tail",
        "penultimate": "pool",
    }

    def __init__(self, *, channels: int = 3, classes: int = 10, depth: int = 34, width: int = 10) -> None:
        super().__init__()
        require(depth >= 10 and depth % 6 == 4, f"depth = {depth}: a WRN has 6n + 4 layers (10, 16, 22, 28, 34, …)")
        require(width >= 1, f"width = {width}: a WRN is at least 1 wide")
        count = (depth - 4) // 6
        self.normalized = Standardized()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.block1 = _group(16, 16 * width, 1, count, first=True)
        self.block2 = _group(16 * width, 32 * width, 2, count)
        self.block3 = _group(32 * width, 64 * width, 2, count)
        self.tail = nn.Sequential(_batch_norm(64 * width), nn.LeakyReLU(SLOPE))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(64 * width, classes)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.linear.bias)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.tail(self.block3(self.block2(self.block1(features))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Unit(nn.Module):
    """Two activated convolutions beside a shortcut without parameters; `first` activates before it branches."""

    def __init__(self, inputs: int, outputs: int, stride: int, first: bool) -> None:
        super().__init__()
        self.added = outputs - inputs
        self.stride = stride
        self.first = first
        self.norm1 = _batch_norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = _batch_norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        active = F.leaky_relu(self.norm1(features), SLOPE)
        change: Tensor = self.conv2(F.leaky_relu(self.norm2(self.conv1(active)), SLOPE))
        return change + self.shortcut(active if self.first else features)

    def shortcut(self, features: Tensor) -> Tensor:
        """Pool, and fill the new channels with zeros: half of them come first and half last."""
        if self.stride > 1:
            features = F.avg_pool2d(features, self.stride, ceil_mode=True)
        return F.pad(features, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))


def _group(inputs: int, outputs: int, stride: int, count: int, first: bool = False) -> nn.Sequential:
    units = [_Unit(outputs, outputs, 1, first=False) for _ in range(count - 1)]
    return nn.Sequential(_Unit(inputs, outputs, stride, first), *units)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)
