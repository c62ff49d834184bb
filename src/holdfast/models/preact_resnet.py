"""The pre-activation ResNet-18 for CIFAR (He et al., 2016), which studies of fast adversarial training use.

Two forms are in use. Much public CIFAR code pools the last sum as it is (11,171,146 parameters). Here a batch norm and
a ReLU stand before the pool (11,172,170): in the paper every sum is activated before it is used, and Fast-AT (Wong et
al., 2020) and Rice et al. (2020), whose numbers one compares with, do so too. `final_norm=False` gives the other form.

Nor do they agree on what a projecting shortcut sees. Here, as in the paper and in Rice et al., the activated input;
Fast-AT projects the raw one (`shortcut="raw"`, the same tensors). Rebuffi et al. (2021) project the raw one by 3x3
convolutions (`shortcut_size=3`, 12,548,426 parameters) that pad on the right and below (`padding="asymmetric"`).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import UnknownName, require
from holdfast.models.activations import activation as activation_of
from holdfast.models.convolution import convolution
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits

SHORTCUTS = ("activated", "raw")


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
        activation: str = "relu",
        padding: str = "symmetric",
        shortcut: str = "activated",
        shortcut_size: int = 1,
        width: int = 64,
    ) -> None:
        """`width` is the number of channels of the stem; `padding` says how convolutions of stride 2 pad.

        `shortcut` says what projections see ("activated" or "raw"), `shortcut_size` the size of their kernels.
        """
        super().__init__()
        if shortcut not in SHORTCUTS:
            raise UnknownName("shortcut", shortcut, SHORTCUTS)
        require(shortcut_size in (1, 3), f"shortcut_size = {shortcut_size}: projections are 1x1 or 3x3")
        require(width >= 1, f"width = {width}, not 1 or more")
        form = _Form(activation, padding, shortcut == "raw", shortcut_size)
        self.normalized = cifar_normalized(channels, mean, std)
        self.stem = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.block1 = _stage(width, width, 1, form)
        self.block2 = _stage(width, 2 * width, 2, form)
        self.block3 = _stage(2 * width, 4 * width, 2, form)
        self.block4 = _stage(4 * width, 8 * width, 2, form)
        tail = nn.Sequential(nn.BatchNorm2d(8 * width), activation_of(activation))
        self.tail = tail if final_norm else nn.Identity()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(8 * width, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.tail(self.block4(self.block3(self.block2(self.block1(features)))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


@dataclass(frozen=True)
class _Form:
    """What the blocks of one network have in common."""

    activation: str
    padding: str
    raw: bool
    shortcut_size: int

    def projection(self, inputs: int, outputs: int, stride: int) -> nn.Conv2d:
        """Return the convolution of a shortcut."""
        if self.shortcut_size == 3:
            return convolution(inputs, outputs, stride, self.padding)
        return nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)


class _Block(nn.Module):
    """Two activated convolutions beside a shortcut; the shortcut is raw, or projects the activated input."""

    def __init__(self, inputs: int, outputs: int, stride: int, form: _Form) -> None:
        super().__init__()
        self.raw = form.raw
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, stride, form.padding)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = form.projection(inputs, outputs, stride) if changes else None
        self.relu = activation_of(form.activation)

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.norm1(features))
        kept: Tensor = features if self.shortcut is None else self.shortcut(features if self.raw else active)
        change: Tensor = self.conv2(self.relu(self.norm2(self.conv1(active))))
        return kept + change


def _stage(inputs: int, outputs: int, stride: int, form: _Form) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride, form), _Block(outputs, outputs, 1, form))
