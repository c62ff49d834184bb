"""How fast work goes, and how long it will take."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass
class Pace:
    """Work in pieces, of which one is counted at a time: how much was done in all, and how fast this one goes.

    How many pieces there will be nobody knows before: an audit goes on with what breaks most.
    """

    clock: Callable[[], float]
    """Says the time in seconds."""
    before: int = 0
    """What the pieces before this one counted."""
    done: int = 0
    total: int = 0
    first: int = 0
    """How much of this piece was done when it was first heard of; more than nothing where it goes on from a file."""
    began: float = field(default=0.0)

    def count(self, done: int, total: int) -> None:
        """Note how far the piece at hand is; what has another size, or is less far, is the next piece."""
        if total != self.total or done <= self.done:
            self.before += self.done
            self.first, self.began = done, self.clock()
        self.done, self.total = done, total

    def words(self) -> str:
        """Return the rate and the time left, from the second count of a piece on."""
        counted, passed = self.done - self.first, self.clock() - self.began
        if counted == 0 or passed <= 0:
            return ""
        rate = counted / passed
        left = timedelta(seconds=round((self.total - self.done) / rate))
        return f"{rate:.1f} a second, {left} left" if rate >= 1 else f"{60 * rate:.1f} a minute, {left} left"
