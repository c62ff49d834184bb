"""ResNets for CIFAR as in TRADES, MART and CAS: ImageNet's stages behind a 3x3 stem without pooling.

He et al. (2015). For colour images and 10 classes, ResNet-18 has 11,173,962 parameters and ResNet-50, which Engstrom
et al. (2019) publish, 23,520,842. Some public code pools after the stem all the same (`stem="pooled"`).
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import UnknownName, require
from holdfast.models.activations import activation as activation_of
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits

STEMS = ("plain", "pooled")
_COUNTS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""How many blocks each stage has; from 50 layers on they are bottlenecks."""


def depth_of(counts: tuple[int, ...], bottlenecks: bool) -> int | None:
    """Return the depth of the ResNet whose stages have so many blocks; None where no ResNet has."""
    return next((depth for depth, own in _COUNTS.items() if own == counts and (depth >= 50) is bottlenecks), None)


class ResNet(nn.Module):
    """The ResNet for 32x32 images (He et al., 2015)."""

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
        depth: int = 18,
        width: int = 64,
        activation: str = "relu",
        stem: str = "plain",
    ) -> None:
        """`width` is the number of channels of the stem, and `stem` "pooled" that a 3x3 pool of stride 2 follows it."""
        super().__init__()
        require(depth in _COUNTS, f"depth = {depth}: a ResNet has {', '.join(map(str, _COUNTS))} layers")
        require(width >= 1, f"width = {width}, not 1 or more")
        if stem not in STEMS:
            raise UnknownName("stem", stem, STEMS)
        block, times = (_Bottleneck, 4) if depth >= 50 else (_Block, 1)
        counts, outputs = _COUNTS[depth], [times * width * scale for scale in (1, 2, 4, 8)]
        self.normalized = cifar_normalized(channels, mean, std)
        first = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(first, nn.BatchNorm2d(width), activation_of(activation))
        if stem == "pooled":
            self.stem.append(nn.MaxPool2d(3, 2, padding=1))
        self.block1 = _stage(block, width, outputs[0], 1, counts[0], activation)
        self.block2 = _stage(block, outputs[0], outputs[1], 2, counts[1], activation)
        self.block3 = _stage(block, outputs[1], outputs[2], 2, counts[2], activation)
        self.block4 = _stage(block, outputs[2], outputs[3], 2, counts[3], activation)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(outputs[3], classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.block4(self.block3(self.block2(self.block1(features))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Block(nn.Module):
    """Two convolutions beside a shortcut, activated after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)
        self.relu = activation_of(activation)

    def forward(self, features: Tensor) -> Tensor:
        change = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(features)))))
        activated: Tensor = self.relu(change + self.shortcut(features))
        return activated


class _Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, beside a shortcut, activated after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)
        self.relu = activation_of(activation)

    def forward(self, features: Tensor) -> Tensor:
        change = self.relu(self.norm2(self.conv2(self.relu(self.norm1(self.conv1(features))))))
        activated: Tensor = self.relu(self.norm3(self.conv3(change)) + self.shortcut(features))
        return activated


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Return what projects where a block changes the size, and nothing elsewhere."""
    if stride == 1 and inputs == outputs:
        return nn.Sequential()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


def _stage(block: type[nn.Module], inputs: int, outputs: int, stride: int, count: int, activation: str) -> nn.Module:
    first = block(inputs, outputs, stride, activation)
    return nn.Sequential(first, *[block(outputs, outputs, 1, activation) for _ in range(count - 1)])
