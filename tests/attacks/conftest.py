"""A network that is trained once for all tests of attacks."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import load
from holdfast.objectives import cross_entropy
from tests.conftest import Small


@pytest.fixture(scope="session")
def trained() -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network trained for a moment on digits, and test images that it gets right with their labels."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network, train, test = Small(), load("digits", "train"), load("digits", "test", limit=100)
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        for batch in train.batches(64, train.order_of(0, 0).repeat(3)):
            noisy = (batch.images + 0.1 * torch.randn_like(batch.images)).clamp(0, 1)
            optimizer.zero_grad()
            cross_entropy(network(noisy), batch.labels).mean().backward()
            optimizer.step()
    right = network.eval()(test.images).argmax(1) == test.labels
    return network, test.images[right], test.labels[right]
