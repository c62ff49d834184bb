"""The ResNet-18 for CIFAR of TRADES, MART and CAS: ImageNet's stages behind a 3x3 stem without pooling.

He et al. (2015). 11,173,962 parameters for colour images and 10 classes.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits


class ResNet(nn.Module):
    """The ResNet-18 for 32x32 images (He et al., 2015)."""

    layers: ClassVar[dict[str, str]] = {
        "stem": "stem",
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "block4": "block4",
        "features": "block4",
        "attention": "block4",
        "penultimate": "pool",
    }

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics | None = None,
    ) -> None:
        super().__init__()
        self.normalized = cifar_normalized(channels, mean, std)
        self.stem = nn.Sequential(nn.Conv2d(channels, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.block1 = _stage(64, 64, stride=1)
        self.block2 = _stage(64, 128, stride=2)
        self.block3 = _stage(128, 256, stride=2)
        self.block4 = _stage(256, 512, stride=2)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(512, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.block4(self.block3(self.block2(self.block1(features))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Block(nn.Module):
    """Two convolutions beside a shortcut, activated after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        change = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(features)))))
        activated: Tensor = self.relu(change + self.shortcut(features))
        return activated


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))
