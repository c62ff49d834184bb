"""The SmallCNN of TRADES on MNIST (Zhang et al., 2019): four 3x3 convolutions without padding, three linear layers.

Parts are called as in the authors' checkpoints, so `load_state_dict(weights, strict=False)` reads one; only the
normalisation, which theirs lacks, is missing there.
"""

from collections import OrderedDict
from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Normalized, Statistics
from holdfast.types import Images, Logits


class SmallCNN(nn.Module):
    """The SmallCNN of TRADES on MNIST (Zhang et al., 2019)."""

    layers: ClassVar[dict[str, str]] = {
        "block1": "feature_extractor.maxpool1",
        "block2": "feature_extractor.maxpool2",
        "features": "feature_extractor.maxpool2",
        "attention": "feature_extractor.maxpool2",
        "hidden": "classifier.relu1",
        "penultimate": "classifier.relu2",
    }
    smallest: ClassVar[int] = 16

    def __init__(
        self,
        *,
        channels: int = 1,
        classes: int = 10,
        image_size: tuple[int, int] = (28, 28),
        mean: Statistics = 0.0,
        std: Statistics = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        rows, columns = image_size
        require(min(image_size) >= self.smallest, f"images of {rows}x{columns}: SmallCNN needs at least 16x16")
        self.normalized = Normalized(mean, std)
        self.feature_extractor = _convolutions(channels)
        self.flatten = nn.Flatten()
        self.classifier = _head(64 * _pooled(rows) * _pooled(columns), classes, dropout)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.feature_extractor(self.normalized(images))
        logits: Tensor = self.classifier(self.flatten(features))
        return logits


def _pooled(size: int) -> int:
    """Return what two rounds of two unpadded convolutions and a pool leave of a side."""
    return ((size - 4) // 2 - 4) // 2


def _convolutions(channels: int) -> nn.Sequential:
    """Return the four convolutions: Kaiming-normal weights, zero biases."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (inputs, outputs) in enumerate([(channels, 32), (32, 32), (32, 64), (64, 64)], start=1):
        convolution = nn.Conv2d(inputs, outputs, 3)
        nn.init.kaiming_normal_(convolution.weight)
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        parts[f"conv{number}"] = convolution
        parts[f"relu{number}"] = nn.ReLU()
        if number % 2 == 0:
            parts[f"maxpool{number // 2}"] = nn.MaxPool2d(2)
    return nn.Sequential(parts)


def _head(flat: int, classes: int, dropout: float) -> nn.Sequential:
    """Return the three linear layers; the last starts at zero, so that the first logits are all equal."""
    last = nn.Linear(200, classes)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    parts: list[tuple[str, nn.Module]] = [
        ("fc1", nn.Linear(flat, 200)),
        ("relu1", nn.ReLU()),
        ("drop", nn.Dropout(dropout)),
        ("fc2", nn.Linear(200, 200)),
        ("relu2", nn.ReLU()),
        ("fc3", last),
    ]
    return nn.Sequential(OrderedDict(parts))
