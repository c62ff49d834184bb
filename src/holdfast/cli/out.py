"""The file that a verb is to write: of the right kind, and not there yet."""

from pathlib import Path

from holdfast.errors import UsageError, require


def check_out(out: Path, ending: str) -> None:
    """Refuse a file with another ending, or one that is there already; nothing of a person's is written over."""
    require(out.suffix == ending, f"{out}: give --out a path that ends in {ending}", UsageError)
    check_new(out)


def check_new(out: Path) -> None:
    """Refuse a file or a folder that is there already."""
    require(not out.exists(), f"{out} is there already: give --out another path, or delete it", UsageError)
