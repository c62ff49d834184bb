"""Early stopping (Prechelt: "Early stopping, but when?", 1998): the epoch with the least loss on images held out.

A run ends as soon as its patience does. Whether it has is read from the lines of its epochs, so that a run that was
stopped there and started again ends in the same place.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.fields import Count, check_fields

LOSS = "held_out_loss"
"""What the mean cross-entropy of the clean images held out is called in the line of an epoch."""


@dataclass(frozen=True)
class Patience:
    """Keep the epoch with the least loss of clean images held out; end once so many in a row had no less."""

    epochs: Count = 3

    def __post_init__(self) -> None:
        """Refuse what is no number of epochs."""
        check_fields(self)

    def ended(self, lines: Sequence[str]) -> bool:
        """Say whether the last epochs, each a line of JSON, were none of them better than one before."""
        losses = [json.loads(line)[LOSS] for line in lines]
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= self.epochs
