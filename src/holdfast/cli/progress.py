"""Showing how far long work has come: a bar on a terminal, plain lines elsewhere, with the rate and the time left."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from holdfast.cli.pace import Pace

LINE_EVERY = 15.0
"""Seconds between two plain lines about the same work."""


class Teller:
    """Something to hand to `train`, `outcomes` and `fill`: called with (done, total, words)."""

    def __init__(self, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.quiet, self.clock, self.pace = quiet, clock, Pace(clock)
        self.bar: Progress | None = None
        self.last = clock()
        if not quiet and sys.stderr.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task("", total=None)

    def __enter__(self) -> "Teller":
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, done: int, total: int, words: str) -> None:
        """Show the words; without any, how far it is."""
        if self.quiet:
            return
        if words:
            self.console.print(words, soft_wrap=True, markup=False)
            self.last = self.clock()
            return  # what is told beside the work counts nothing of it
        pace = self.pace
        pace.count(done, total)
        if self.bar is not None:
            # What is done only grows: the next piece of work lengthens the bar, and never empties it.
            whole = pace.before + total
            self.bar.update(self.task, completed=pace.before + done, total=whole, description=pace.words())
        elif self.clock() - self.last > LINE_EVERY:
            self.console.print(", ".join(filter(None, (f"  {done} of {total}", pace.words()))))
            self.last = self.clock()
