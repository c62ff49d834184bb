"""The pre-activation ResNet-18 for CIFAR (He et al., 2016), which studies of fast adversarial training use.

Two forms are in use. Much public CIFAR code pools the last sum as it is (11,171,146 parameters). Here a batch norm and
a ReLU stand before the pool (11,172,170): in the paper every sum is activated before it is used, and Fast-AT (Wong et
al., 2020) and Rice et al. (2020), whose numbers one compares with, do so too. `final_norm=False` gives the other form.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits


class PreActResNet(nn.Module):
    """The pre-activation ResNet-18 for 32x32 images (He et al., 2016)."""

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

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics | None = None,
        final_norm: bool = True,
    ) -> None:
        super().__init__()
        self.normalized = cifar_normalized(channels, mean, std)
        self.stem = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        self.block1 = _stage(64, 64, stride=1)
        self.block2 = _stage(64, 128, stride=2)
        self.block3 = _stage(128, 256, stride=2)
        self.block4 = _stage(256, 512, stride=2)
        self.tail = nn.Sequential(nn.BatchNorm2d(512), nn.ReLU()) if final_norm else nn.Identity()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(512, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.tail(self.block4(self.block3(self.block2(self.block1(features)))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


class _Block(nn.Module):
    """Two activated convolutions beside a shortcut; the shortcut is raw, or projects the activated input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if changes else None
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.norm1(features))
        kept: Tensor = features if self.shortcut is None else self.shortcut(active)
        change: Tensor = self.conv2(self.relu(self.norm2(self.conv1(active))))
        return kept + change


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))
