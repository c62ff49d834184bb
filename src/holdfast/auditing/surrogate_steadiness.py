"""Whether a network is a function of the images alone: asked twice it answers alike, draws nothing, and keeps nothing.

A copy of any other network would not do what the network does.
"""

import random
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.passes import spend
from holdfast.storage.modules_behind import modules_behind
from holdfast.types import Images


def why_not_a_function(network: nn.Module, images: Images) -> str:
    """Return why a network at rest is no function of the images, in a few words; nothing where it is one.

    The network is run, and keeps what it keeps; the global generators move as it moves them.
    """
    kept, generators = kept_by(network), drawn_so_far()
    with torch.no_grad():
        first, second = network(images), network(images)
    spend(forwards=2 * len(images))
    if drawn_so_far() != generators:
        return "it draws random numbers"
    if kept_by(network) != kept:
        return "it keeps something of what it is asked"
    return "" if torch.equal(first, second) else "it does not answer the same images alike"


@contextmanager
def generators_restored() -> Iterator[None]:
    """Put the global random generators, on every device in use, back to where they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002, it is the global one that is meant
    with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def drawn_so_far() -> tuple[object, ...]:
    """Return the state of the global random generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    states = [state.tolist() for state in (torch.get_rng_state(), *cuda)]
    return random.getstate(), _described(np.random.get_state()), states  # noqa: NPY002


def kept_by(network: nn.Module) -> list[object]:
    """Return a description of every attribute of every part, which is another when the network has kept something."""
    return [_described(vars(part)) for part in modules_behind(network)]


@dataclass(frozen=True, eq=False)
class _Written:
    """A tensor and how often it had been written to; it is held, as another could come to lie in its place."""

    tensor: Tensor
    times: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and self.tensor is other.tensor and self.times == other.times

    def __hash__(self) -> int:
        return hash((id(self.tensor), self.times))


def _described(value: Any) -> object:
    """Describe a value so that a change of it shows."""
    if isinstance(value, Tensor):
        return _Written(value, value._version)
    if isinstance(value, nn.Module):
        return id(value)
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, Mapping):
        return [(_described(key), _described(each)) for key, each in value.items()]
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return [_described(each) for each in value]
    return repr(value)
