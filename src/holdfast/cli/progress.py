"""Showing how far long work has come: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 15.0
"""Seconds between two plain lines about the same work."""


class Teller:
    """Something to hand to `train`, `outcomes` and `fill`: called with (done, total, words)."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.quiet = quiet
        self.bar: Progress | None = None
        self.last = time.monotonic()
        if not quiet and sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
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
            self.last = time.monotonic()
            return  # what is told beside the work counts nothing of it
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total)
        elif time.monotonic() - self.last > LINE_EVERY:
            self.console.print(f"  {done} of {total}")
            self.last = time.monotonic()
