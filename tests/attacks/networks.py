"""Networks and images that tests of several attacks share."""

import torch
from torch import Tensor, nn


class Held(nn.Module):
    """A linear network whose class 0 wins by so much that no change of the image takes it away."""

    def __init__(self, values: int, classes: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(values, classes))

    def forward(self, images: Tensor) -> Tensor:
        lead = torch.zeros(self.weight.shape[1]).index_fill(0, torch.tensor(0), 100.0)
        return images.flatten(1) @ self.weight + lead


def middle(*shape: int) -> Tensor:
    """Return images so far from 0 and 1 that a small change is not cut."""
    return 0.45 + 0.1 * torch.rand(shape)


def norms(change: Tensor, order: int) -> Tensor:
    """Return the norm of each channel, in float64."""
    return torch.linalg.vector_norm(change.double(), order, dim=(2, 3))
