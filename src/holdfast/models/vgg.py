"""VGG-16 and VGG-19 with batch norm for 32x32 images (Simonyan and Zisserman, 2015), with one linear layer.

The form of CAT and of kuangliu's repository: 14,728,266 and 20,040,522 parameters for 10 classes. Paper 004 names that
repository and Cheng-Yang Fu's, whose VGGs end in three linear layers, and not which of them its classifiers come from.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import BadValue, require
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits

_COUNTS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""How many convolutions each block has."""


class VGG(nn.Module):
    """The VGG network with batch norm for images of at least 32x32 (Simonyan and Zisserman, 2015)."""

    layers: ClassVar[dict[str, str]] = {
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "block4": "block4",
        "block5": "block5",
        "features": "block5",
        "attention": "block5.pool:input",
        "penultimate": "pool",
    }
    smallest: ClassVar[int] = 32

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics | None = None,
        depth: int = 16,
        width: int = 64,
    ) -> None:
        """`width` is the number of channels of the first block; the paper's networks have 64."""
        super().__init__()
        require(depth in _COUNTS, f"depth = {depth}: a VGG has 16 or 19 layers", BadValue)
        require(width >= 1, f"width = {width}, not 1 or more", BadValue)
        self.normalized = cifar_normalized(channels, mean, std)
        counts = _COUNTS[depth]
        self.block1 = _block(channels, width, counts[0])
        self.block2 = _block(width, 2 * width, counts[1])
        self.block3 = _block(2 * width, 4 * width, counts[2])
        self.block4 = _block(4 * width, 8 * width, counts[3])
        self.block5 = _block(8 * width, 8 * width, counts[4])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(8 * width, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.block2(self.block1(self.normalized(images)))
        features = self.block5(self.block4(self.block3(features)))
        logits: Tensor = self.linear(self.pool(features))
        return logits


def _block(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """Return `count` times convolution, batch norm, ReLU, and a pool that halves the image."""
    block = nn.Sequential()
    for number in range(count):
        given = outputs if number else inputs
        block.extend([nn.Conv2d(given, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()])
    block.add_module("pool", nn.MaxPool2d(2))
    return block
