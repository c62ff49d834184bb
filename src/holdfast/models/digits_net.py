"""A small convolutional network for 8x8 digits (85,162 parameters), which trains robustly in seconds on two cores."""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Normalized, Statistics
from holdfast.types import Images, Logits


class DigitsNet(nn.Module):
    """A small convolutional network with batch norm, made for 8x8 digits."""

    layers: ClassVar[dict[str, str]] = {
        "block1": "block1",
        "block2": "block2",
        "features": "block2",
        "attention": "block2",
        "penultimate": "hidden",
    }
    smallest: ClassVar[int] = 2

    def __init__(
        self,
        *,
        channels: int = 1,
        classes: int = 10,
        image_size: tuple[int, int] = (8, 8),
        mean: Statistics = 0.0,
        std: Statistics = 1.0,
        width: int = 32,
    ) -> None:
        super().__init__()
        rows, columns = image_size
        require(min(image_size) >= self.smallest, f"images of {rows}x{columns}: DigitsNet needs at least 2x2")
        self.normalized = Normalized(mean, std)
        self.block1 = _block(channels, width)
        # One pool only: on digits it holds better under attack than two, for the same training time.
        self.block2 = _block(width, 2 * width).append(nn.MaxPool2d(2))
        flat = 2 * width * (rows // 2) * (columns // 2)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(flat, 2 * width), nn.ReLU())
        self.linear = nn.Linear(2 * width, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.block2(self.block1(self.normalized(images)))
        logits: Tensor = self.linear(self.hidden(features))
        return logits


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Return convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
