"""Networks that are trained once for all tests of attacks."""

import pytest
from torch import Tensor, nn

from tests.attacks.networks import got_right, taught


@pytest.fixture(scope="session")
def trained() -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network trained for a moment on noisy digits, and test images that it gets right with their labels."""
    network = taught(noise=0.1)
    return network, *got_right(network, 100)


@pytest.fixture(scope="session")
def network() -> nn.Module:
    """Return a network trained for a moment on digits."""
    return taught(noise=0.0).requires_grad_(False)


@pytest.fixture(scope="session")
def right(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Return test images that the network gets right, and their labels."""
    return got_right(network, 40)
