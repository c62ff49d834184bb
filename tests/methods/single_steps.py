"""What the tests of single-step methods share: a small network, a loop over epochs that moves no weight, a counter."""

import torch
from torch import Tensor, nn

from holdfast import CropFlip, ImageSet
from holdfast.methods import LossMethod, Memory
from holdfast.types import Batch


class Line(nn.Module):
    """Two classes told apart by a weighted sum of pixels, whose gradient has the same signs everywhere."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        height = (images * self.weights).flatten(1).sum(1)
        return torch.stack([-height, height], 1)


class Recorder(nn.Module):
    """A network that keeps what it is shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.shown.append(images.detach().clone())
        answer: Tensor = self.inner(images)
        return answer


def epoch(
    method: LossMethod,
    model: nn.Module,
    data: ImageSet,
    memory: Memory,
    number: int,
    size: int = 5,
    augment: CropFlip | None = None,
) -> list[Batch]:
    """Show every image to the method once, in the order of that epoch, and return the batches."""
    batches = list(data.batches(size, data.order_of(0, number), augment, number))
    for batch in batches:
        method.loss(model, batch, memory)
    return batches
