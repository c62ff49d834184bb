"""LeNet-5, "Gradient-based learning applied to document recognition" (LeCun, Bottou, Bengio and Haffner, 1998).

Two 5x5 convolutions of 6 and 16 channels, then layers of 120 and 84; 61,706 parameters for 1x28x28. As it is built
today: ReLU and max pooling for LeCun's squashed tangents and learnt averages, every map of the second convolution sees
all six of the first, and a linear layer answers in the place of distances to drawn digits.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Normalized, Statistics
from holdfast.types import Images, Logits


class LeNet5(nn.Module):
    """LeCun's own LeNet (1998), with ReLU and max pooling."""

    layers: ClassVar[dict[str, str]] = {
        "block1": "block1",
        "block2": "block2",
        "features": "block2",
        "attention": "block2",
        "hidden": "hidden1",
        "penultimate": "hidden2",
    }
    smallest: ClassVar[int] = 12

    def __init__(
        self,
        *,
        channels: int = 1,
        classes: int = 10,
        image_size: tuple[int, int] = (28, 28),
        mean: Statistics = 0.0,
        std: Statistics = 1.0,
    ) -> None:
        super().__init__()
        rows, columns = image_size
        require(min(image_size) >= self.smallest, f"images of {rows}x{columns}: LeNet5 needs at least 12x12")
        self.normalized = Normalized(mean, std)
        # LeCun's images are 32x32: digits of 28x28 with a border of two pixels.
        self.block1 = nn.Sequential(nn.Conv2d(channels, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU())
        self.block2 = nn.Sequential(nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU())
        flat = 16 * ((rows // 2 - 4) // 2) * ((columns // 2 - 4) // 2)
        self.hidden1 = nn.Sequential(nn.Flatten(), nn.Linear(flat, 120), nn.ReLU())
        self.hidden2 = nn.Sequential(nn.Linear(120, 84), nn.ReLU())
        self.linear = nn.Linear(84, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.block2(self.block1(self.normalized(images)))
        logits: Tensor = self.linear(self.hidden2(self.hidden1(features)))
        return logits
