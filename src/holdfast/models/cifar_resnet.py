"""The ResNet-20 and ResNet-110 of "Cascade adversarial machine learning" (Na, Ko and Mukhopadhyay, 2017).

The first CIFAR ResNet (He et al., 2015) with average-pooled shortcuts, slow batch-norm averages and Glorot weights. It
was trained on crops of 24x24 less a mean image; here colour images are less CIFAR-10's mean of each channel (nothing to
crop), or less the `mean` image that is given, and grey ones are as they are. Parameters with 10 classes: 269,722
and 1,727,962; for grey images 269,434 and 1,727,674.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits


class CifarResNet(nn.Module):
    """The thin ResNet of depth 6n + 2 for CIFAR-10 (He et al., 2015), as trained by Na et al. (2017).

    Its batch-norm statistics are moving averages over about `average` batches. Attacks and tests use them, so a run
    that is a fifth as long needs a fifth of the paper's 1,000.
    """

    layers: ClassVar[dict[str, str]] = {
        "stem": "stem",
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "features": "block3",
        "attention": "block3",
        "penultimate": "pool",
    }

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics = 1.0,
        depth: int = 20,
        average: int = 1000,
    ) -> None:
        super().__init__()
        require(depth >= 8 and depth % 6 == 2, f"depth = {depth}: a CIFAR ResNet has 6n + 2 layers (8, 14, 20, 26, …)")
        require(average >= 1, f"average = {average}: batch norm averages over 1 or more batches")
        count = (depth - 2) // 6
        self.normalized = cifar_normalized(channels, mean, std)
        self.stem = nn.Sequential(_convolution(channels, 16), _batch_norm(16), nn.ReLU())
        self.block1 = _stage(16, 16, count)
        self.block2 = _stage(16, 32, count)
        self.block3 = _stage(32, 64, count)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(64, classes)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1 / average
        nn.init.zeros_(self.linear.bias)
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.block3(self.block2(self.block1(features)))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Block(nn.Module):
    """Two convolutions and a shortcut without parameters; halves the image where it adds channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.added = outputs - inputs
        self.conv1 = _convolution(inputs, outputs, stride=2 if self.added else 1)
        self.norm1 = _batch_norm(outputs)
        self.conv2 = _convolution(outputs, outputs)
        self.norm2 = _batch_norm(outputs)
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        change = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(features)))))
        activated: Tensor = self.relu(change + self.shortcut(features))
        return activated

    def shortcut(self, features: Tensor) -> Tensor:
        """Pool 2x2 and fill the new channels, which come last, with zeros."""
        if not self.added:
            return features
        pooled = F.avg_pool2d(features, 2, ceil_mode=True)
        return F.pad(pooled, (0, 0, 0, 0, 0, self.added))


def _stage(inputs: int, outputs: int, count: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs), *[_Block(outputs, outputs) for _ in range(count - 1)])


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    nn.init.xavier_uniform_(convolution.weight)
    return convolution


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
