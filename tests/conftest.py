"""Small networks and images that many tests share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import jaxtyping
import pytest
import torch
from torch import nn

from holdfast.attacks import Attack
from holdfast.attacks.watched import Watched
from holdfast.objectives import divergence
from holdfast.rng import Stream, number
from holdfast.threats import Linf, Threat
from holdfast.types import Objective
from tests.kernels import choose_kernels

choose_kernels()


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """Give each test random numbers of its own, whatever ran before it."""
    torch.manual_seed(number(request.node.nodeid))


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switch the type checker off, which would stand before what holdfast says itself of a value of another type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


class Small(nn.Module):
    """A small network with batch norm and dropout: everything that an attack could disturb."""

    def __init__(self, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 10) -> None:
        super().__init__()
        channels, rows, columns = shape
        self.conv = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(8 * rows * columns, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(torch.relu(self.norm(self.conv(images)))).flatten(1))


SHAPES = ((1, 8, 8), (3, 7, 9))
"""The usual one, and one that shows who takes rows for columns, or looks at one channel only."""
BOTH_SHAPES = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))


@pytest.fixture
def shape() -> tuple[int, int, int]:
    """Return the shape of the images, and of what the network takes; a test may be parametrised over others."""
    return SHAPES[0]


@pytest.fixture
def small(shape: tuple[int, int, int]) -> nn.Module:
    return Small(shape)


@pytest.fixture
def images(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.rand(12, *shape)


@pytest.fixture
def labels(small: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return the network's own answers for most images, so that there is something to break, and others for some."""
    small.eval()
    answers = small(images).argmax(1).detach()
    small.train()
    answers[8:] = (answers[8:] + 3) % 10
    return answers


def published(module: object, kind: type, beside: tuple[str, ...]) -> list[type]:
    """Return the classes that a folder publishes, without the abstract ones."""
    members = (getattr(module, name) for name in module.__all__ if name not in beside)  # type: ignore[attr-defined]
    return [member for member in members if isinstance(member, type) and issubclass(member, kind)]


def attack_kinds() -> list[type[Attack]]:
    """Return every published attack."""
    from holdfast import attacks

    return published(attacks, Attack, ("Attack",))


class AsLogits(nn.Module):
    """A network whose logits are twice the pixels of an image (n, 1, 1, k): it can answer any logits from 0 to 2."""

    layers: ClassVar[dict[str, str]] = {"penultimate": "flat"}

    def __init__(self) -> None:
        super().__init__()
        self.flat = nn.Flatten()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * self.flat(images)


@dataclass(frozen=True)
class Given(Attack):
    """An attack that returns what it is told: 2, 1, 0 becomes the images that `AsLogits` answers so to."""

    threat: Threat = Linf(1.0)
    objective: Objective = divergence
    logits: tuple[tuple[float, ...], ...] = ()

    def run(
        self, model: Watched, images: torch.Tensor, targets: torch.Tensor, start: torch.Tensor | None, stream: Stream
    ) -> torch.Tensor:
        return as_images(self.logits)


def as_images(logits: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    """Return the images that `AsLogits` answers with these logits."""
    return torch.tensor(logits)[:, None, None, :] / 2
