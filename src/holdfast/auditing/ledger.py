"""What each attack of an ensemble was shown, and what it broke: what the next turn is chosen from."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from holdfast.types import Rows

BANDS = 24
"""As many as there can be: each is twice as wide as the one before."""
NEAREST, FEWEST = 0.02, 8
"""The first band's share of all images, and how many it holds at least."""
FADING = 0.5
"""What an earlier hit in a band still counts for other attacks once a turn was taken there: what is left is harder."""


@dataclass
class Turn:
    """One attack, by its number, on some of the standing images."""

    move: int
    rows: Rows
    bands: Tensor
    """The band of each of the images."""
    telling: bool = True
    """Whether the choice of later turns follows from it: not from sweeps, which rank the images anew, nor from a turn
    in a fixed order, which has no bands."""

    @classmethod
    def none(cls) -> "Turn":
        """Return the turn of no move, on no image: none is under way."""
        return cls(-1, torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))


@dataclass
class Ledger:
    """What was tried and what broke: rows are moves, columns images or bands."""

    shown: Tensor
    """Whether a move was shown an image."""
    tries: Tensor
    """How many images of each band a move was shown."""
    hits: Tensor
    """How many of these it broke."""
    hits_for_kind: Tensor
    """The same as other moves of its kind see it: it fades with each turn that one of them has in the band."""
    hits_for_all: Tensor
    """The same as all others see it: it fades with every turn in the band."""

    @property
    def images(self) -> Tensor:
        """How many images each move was shown; no move is shown one twice."""
        return self.shown.sum(1)

    @classmethod
    def blank(cls, moves: int, count: int) -> "Ledger":
        """Return the ledger of moves that have done nothing."""
        tables = ("tries", "hits", "hits_for_kind", "hits_for_all")
        numbers = {name: torch.zeros(moves, BANDS, dtype=torch.float64) for name in tables}
        return cls(torch.zeros(moves, count, dtype=torch.bool), **numbers)

    def enter(self, turn: Turn, alike: Tensor, broken: Tensor) -> None:
        """Note which images of a turn broke; `alike` are the moves of its kind."""
        self.shown[turn.move, turn.rows.cpu()] = True
        if not turn.telling:
            return
        tries = torch.bincount(turn.bands, minlength=BANDS).double()
        hits = torch.bincount(turn.bands[broken.cpu()], minlength=BANDS).double()
        kept = torch.where(tries > 0, FADING, 1.0)
        self.hits_for_all *= kept
        self.hits_for_kind[alike] *= kept
        self.tries[turn.move] += tries
        for table in (self.hits, self.hits_for_kind, self.hits_for_all):
            table[turn.move] += hits

    def tensors(self) -> dict[str, Tensor]:
        """Return what it holds by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def bands_of(count: int, total: int) -> Tensor:
    """Return the band of each of `count` standing images, ranked, out of `total` images in all."""
    first = max(FEWEST, math.ceil(NEAREST * total))
    return (torch.arange(count, dtype=torch.float64) / first + 1).log2().floor().long()
