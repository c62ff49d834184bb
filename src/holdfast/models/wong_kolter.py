"""The small network of Wong and Kolter (2018), whose robustness they prove; Fast-AT (2020) uses it on MNIST too.

Two 4x4 convolutions of stride 2 and two linear layers, without batch norm: 166,406 parameters for 1x28x28. Images are
as they are; the authors' networks for CIFAR-10 want them less (0.485, 0.456, 0.406), divided by 0.225.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Normalized, Statistics
from holdfast.types import Images, Logits


class WongKolter(nn.Module):
    """The small provably robust network of four layers (Wong and Kolter, 2018)."""

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
        width: int = 16,
        hidden: int = 100,
    ) -> None:
        """`width` is the number of channels of the first convolution."""
        super().__init__()
        require(min(image_size) >= self.smallest, f"images of {image_size}: the network needs at least 4x4")
        require(min(width, hidden) >= 1, f"width = {width}, hidden = {hidden}: both are 1 or more")
        self.normalized = Normalized(mean, std)
        self.block1 = nn.Sequential(nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.ReLU())
        self.block2 = nn.Sequential(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.ReLU())
        rows, columns = (side // 4 for side in image_size)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(2 * width * rows * columns, hidden), nn.ReLU())
        self.linear = nn.Linear(hidden, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.block2(self.block1(self.normalized(images)))
        logits: Tensor = self.linear(self.hidden(features))
        return logits
