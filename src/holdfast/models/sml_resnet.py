"""The "Res50" on Tiny ImageNet of "Metric learning for adversarial robustness" (Mao et al., 2019), of 38 layers.

Its groups hold 2, 3, 5 and 2 bottlenecks where a ResNet-50 has 3, 4, 6 and 3; its stem neither strides nor pools.
17,980,040 parameters with 200 classes.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.models.normalized import Standardized
from holdfast.types import Images, Logits


class SMLResNet(nn.Module):
    """The pre-activation ResNet of 38 layers for Tiny ImageNet (Mao et al., 2019)."""

    layers: ClassVar[dict[str, str]] = {
        "stem": "stem",
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "block4": "block4",
        "features": "tail",
        "attention": "tail",
        "penultimate": "pool",
    }

    def __init__(self, *, channels: int = 3, classes: int = 200) -> None:
        super().__init__()
        self.normalized = Standardized()
        stem = nn.Conv2d(channels, 64, 7, padding=3, bias=False)
        self.stem = nn.Sequential(stem, _batch_norm(64), nn.ReLU())
        self.block1 = _group(64, 64, 256, stride=1, count=2)
        self.block2 = _group(256, 128, 512, stride=2, count=3)
        self.block3 = _group(512, 256, 1024, stride=2, count=5)
        self.block4 = _group(1024, 512, 2048, stride=2, count=2)
        self.tail = nn.Sequential(_batch_norm(2048), nn.ReLU())
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(2048, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.tail(self.block4(self.block3(self.block2(self.block1(features)))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Bottleneck(nn.Module):
    """Three activated convolutions, the outer ones 1x1, beside a shortcut of the raw input."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = _batch_norm(inputs)
        self.conv1 = nn.Conv2d(inputs, hidden, 1, stride=stride, bias=False)
        self.norm2 = _batch_norm(hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, padding=1, bias=False)
        self.norm3 = _batch_norm(hidden)
        self.conv3 = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if inputs != outputs else None
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.conv1(self.relu(self.norm1(features)))
        change = self.conv2(self.relu(self.norm2(change)))
        change = self.conv3(self.relu(self.norm3(change)))
        kept: Tensor = features if self.shortcut is None else self.shortcut(features)
        return kept + change


def _group(inputs: int, hidden: int, outputs: int, stride: int, count: int) -> nn.Sequential:
    first = _Bottleneck(inputs, hidden, outputs, stride)
    return nn.Sequential(first, *[_Bottleneck(outputs, hidden, outputs, 1) for _ in range(count - 1)])


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)
