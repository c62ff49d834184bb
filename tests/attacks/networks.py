"""Networks and images that tests of several attacks share."""

import torch
from torch import Tensor, nn

from holdfast import load
from holdfast.objectives import cross_entropy
from tests.conftest import Small


def taught(noise: float, times: int = 3) -> nn.Module:
    """Return a network at rest that saw every training image of the digits so many times, with normal noise on it."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network, train = Small(), load("digits", "train")
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        for batch in train.batches(64, train.order_of(0, 0).repeat(times)):
            images = batch.images
            if noise > 0:
                images = (images + noise * torch.randn_like(images)).clamp(0, 1)
            optimizer.zero_grad()
            cross_entropy(network(images), batch.labels).mean().backward()
            optimizer.step()
    return network.eval()


def got_right(network: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    """Return those of the first test images that the network gets right, and their labels."""
    test = load("digits", "test", limit=count)
    kept = network(test.images).argmax(1) == test.labels
    return test.images[kept], test.labels[kept]


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
