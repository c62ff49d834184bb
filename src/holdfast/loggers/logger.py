"""What a logger is: a value that opens a place for the numbers of one run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from holdfast.errors import HoldfastError, UsageError, reason
from holdfast.storage.describe import Described

Write = Callable[[int, Mapping[str, float]], None]
"""Called at the end of each epoch with the steps done and the numbers of its line in `metrics.jsonl`."""


@runtime_checkable
class Logger(Protocol):
    """Where numbers go. What it raises ends the training, which goes on from there when it is asked for again."""

    def open(self, name: str, run: Described, folder: Path, step: int) -> AbstractContextManager[Write]:
        """Open the place of a run of this name and description, kept in a folder and carried out up to `step`."""


@contextmanager
def told(logger: str) -> Iterator[None]:
    """Turn what a logger's package raises into one line."""
    try:
        yield
    except HoldfastError:
        raise
    except Exception as fault:  # each package has errors of its own, those of its connection among them
        raise UsageError(f"--log {logger}: {reason(fault)}") from fault


def flat(described: Described, before: str = "") -> dict[str, Any]:
    """Return a description by the names of its fields, one inside another joined by a dot."""
    if not isinstance(described, dict):
        return {before: described}
    names = {name: f"{before}.{name}" if before else name for name in described}
    return {key: value for name, item in described.items() for key, value in flat(item, names[name]).items()}
