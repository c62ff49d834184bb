"""The "LeNet" of adversarial training on MNIST (Madry et al., 2018): two 5x5 convolutions and a wide hidden layer.

It is far larger than LeCun's (lenet_5.py), which learns at eps 0.3 too. 3,274,634 parameters for 1x28x28; of width 16,
with half the channels and half the hidden units, 821,706.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Normalized, Statistics
from holdfast.types import Images, Logits


class LeNet(nn.Module):
    """The wide LeNet of adversarial training on MNIST (Madry et al., 2018)."""

    layers: ClassVar[dict[str, str]] = {
        "block1": "block1",
        "block2": "block2",
        "features": "block2",
        "attention": "block2",
        "penultimate": "hidden",
    }
    smallest: ClassVar[int] = 4

    def __init__(
        self,
        *,
        channels: int = 1,
        classes: int = 10,
        image_size: tuple[int, int] = (28, 28),
        mean: Statistics = 0.0,
        std: Statistics = 1.0,
        width: int = 32,
    ) -> None:
        super().__init__()
        rows, columns = image_size
        require(min(image_size) >= self.smallest, f"images of {rows}x{columns}: LeNet needs at least 4x4")
        require(width >= 1, f"width = {width}: the first block of LeNet has 1 or more channels")
        self.normalized = Normalized(mean, std)
        self.block1 = _block(channels, width)
        self.block2 = _block(width, 2 * width)
        flat = 2 * width * (rows // 4) * (columns // 4)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(flat, 32 * width), nn.ReLU())
        self.linear = nn.Linear(32 * width, classes)
        self.apply(_initialise)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.block2(self.block1(self.normalized(images)))
        logits: Tensor = self.linear(self.hidden(features))
        return logits


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Return convolution, pooling, ReLU: pooling first is the same and cheaper."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 5, padding=2), nn.MaxPool2d(2), nn.ReLU())


def _initialise(module: nn.Module) -> None:
    """Draw weights by Glorot and Bengio (2010), uniformly; set biases to zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
