"""What an attack spends: passes of single images through the network, forwards (queries) and backwards.

The count is taken where every attack asks, so it is the same for all: `with counting() as spent: attack(...)`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Passes:
    """Forward and backward passes, each of one image."""

    forwards: int = 0
    backwards: int = 0

    @property
    def total(self) -> int:
        """Forwards and backwards together."""
        return self.forwards + self.backwards


_counters: ContextVar[tuple[Passes, ...]] = ContextVar("holdfast_passes", default=())


@contextmanager
def counting() -> Iterator[Passes]:
    """Count the passes that every attack inside spends; counters may be nested."""
    spent = Passes()
    token = _counters.set((*_counters.get(), spent))
    try:
        yield spent
    finally:
        _counters.reset(token)


def spend(forwards: int = 0, backwards: int = 0) -> None:
    """Add passes to every open counter."""
    for spent in _counters.get():
        spent.forwards += forwards
        spent.backwards += backwards
