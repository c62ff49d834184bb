"""Wide residual networks (Zagoruyko and Komodakis, 2016) in the PyTorch form that TRADES, MART and AGKD-BML share.

With 10 classes WRN-28-10 has 36,479,194 parameters and WRN-34-10 46,160,474; public TRADES checkpoints also hold a
second copy of the first group, which is never used. Pooling is global: a fixed 8x8 pool on 64x64 images would silently
turn one image into four rows of logits.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits


class WideResNet(nn.Module):
    """The wide residual network of depth 6n + 4 (Zagoruyko and Komodakis, 2016)."""

    layers: ClassVar[dict[str, str]] = {
        "stem": "stem",
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "features": "tail",
        "attention": "tail",
        "penultimate": "pool",
    }

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics | None = None,
        depth: int = 28,
        width: int = 10,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require(depth >= 10 and depth % 6 == 4, f"depth = {depth}: a WRN has 6n + 4 layers (10, 16, 22, 28, 34, …)")
        require(width >= 1, f"width = {width}: a WRN is at least 1 wide")
        count = (depth - 4) // 6
        self.normalized = cifar_normalized(channels, mean, std)
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.block1 = _group(16, 16 * width, 1, count, dropout)
        self.block2 = _group(16 * width, 32 * width, 2, count, dropout)
        self.block3 = _group(32 * width, 64 * width, 2, count, dropout)
        self.tail = nn.Sequential(nn.BatchNorm2d(64 * width), nn.ReLU())
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(64 * width, classes)
        self.apply(_initialise)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.tail(self.block3(self.block2(self.block1(features))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Block(nn.Module):
    """Two activated convolutions beside a shortcut; the shortcut is raw, or projects the activated input."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        # By channels alone: with width 1 the first group has no projection.
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if inputs != outputs else None
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.norm1(features))
        kept: Tensor = features if self.shortcut is None else self.shortcut(active)
        change: Tensor = self.conv2(self.dropout(self.relu(self.norm2(self.conv1(active)))))
        return kept + change


def _group(inputs: int, outputs: int, stride: int, count: int, dropout: float) -> nn.Sequential:
    first = _Block(inputs, outputs, stride, dropout)
    return nn.Sequential(first, *[_Block(outputs, outputs, 1, dropout) for _ in range(count - 1)])


def _initialise(module: nn.Module) -> None:
    """Draw convolutions from N(0, 2 / (kernel area x outputs)); the linear layer keeps the framework's weights."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
