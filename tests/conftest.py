"""Small networks and images that many tests share."""

import pytest
import torch
from torch import nn

from holdfast.attacks import Attack
from holdfast.streams import number

torch.set_num_threads(1)
"""Tiny networks run faster without splitting, and a test's numbers do not depend on the machine."""


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """Give each test random numbers of its own, whatever ran before it."""
    torch.manual_seed(number(request.node.nodeid))


class Small(nn.Module):
    """A small network with batch norm and dropout: everything that an attack could disturb."""

    def __init__(self, channels: int = 1, side: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(8 * side * side, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(torch.relu(self.norm(self.conv(images)))).flatten(1))


@pytest.fixture
def small() -> nn.Module:
    return Small()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(12, 1, 8, 8)


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.randint(0, 10, (12,))


def published(module: object, kind: type, beside: tuple[str, ...]) -> list[type]:
    """Return the classes that a folder publishes, without the abstract ones."""
    members = (getattr(module, name) for name in module.__all__ if name not in beside)  # type: ignore[attr-defined]
    return [member for member in members if issubclass(member, kind)]


def attack_kinds() -> list[type[Attack]]:
    """Return every published attack."""
    from holdfast import attacks

    return published(attacks, Attack, ("Attack",))
