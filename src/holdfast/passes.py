"""What an attack spends: passes of single images through the network, forwards (queries) and backwards.

The count is taken where every attack asks, so it is the same for all: `with counting() as spent: attack(...)`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import astuple, dataclass, field


@dataclass
class Passes:
    """Forward and backward passes, each of one image."""

    forwards: int = 0
    backwards: int = 0

    @property
    def total(self) -> int:
        """Forwards and backwards together."""
        return self.forwards + self.backwards


@dataclass(frozen=True)
class Spent:
    """What something cost: passes, each of one image, and seconds, in which equal costs may differ."""

    forwards: int = 0
    backwards: int = 0
    seconds: float = field(default=0.0, compare=False)

    def and_also(self, *others: "Spent") -> "Spent":
        """Return the sum of this and others."""
        return Spent(*(sum(parts) for parts in zip(*map(astuple, (self, *others)), strict=True)))


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


@contextmanager
def costed() -> Iterator[list[Spent]]:
    """Give a list which at the end holds what was spent inside."""
    costs, began = list[Spent](), time.monotonic()
    with counting() as spent:
        yield costs
    costs.append(Spent(spent.forwards, spent.backwards, time.monotonic() - began))


def spend(forwards: int = 0, backwards: int = 0) -> None:
    """Add passes to every open counter."""
    for spent in _counters.get():
        spent.forwards += forwards
        spent.backwards += backwards
