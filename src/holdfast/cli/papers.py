"""The papers that can be reproduced: holdfast's own, installed ones, and those in a file of one's own."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import cast

from holdfast.errors import BadValue, UsageError, reason, require
from holdfast.experiments import Paper
from holdfast.papers import PAPERS
from holdfast.storage.python_file import value_in

GROUP = "holdfast.papers"
"""The group of entry points in which another distribution names its papers."""


def known_papers() -> Mapping[str, str]:
    """Return the title of each paper that has a name; of an installed one, where it comes from: it is not loaded."""
    installed = {each.name: f"installed: {each.value}" for each in entry_points(group=GROUP)}
    return {**installed, **{name: paper.title for name, paper in PAPERS.items()}}


def paper_called(name: str) -> Paper:
    """Return the paper of a known name, or the one that "path/to/file.py:NAME" holds.

    Raises:
        UsageError: there is none, or what should be one cannot be loaded.
    """
    if name in PAPERS:
        return PAPERS[name]
    if ":" in name:
        return value_in(name, "paper", is_paper, lambda paper: cast("Paper", paper))
    (entry,) = entry_points(group=GROUP, name=name)
    try:
        found: object = entry.load()
    except Exception as fault:  # another distribution may fail in any way
        raise UsageError(f"the installed paper {entry.value} raised {type(fault).__name__}: {reason(fault)}") from fault
    require(is_paper(found), f"{entry.value} is {type(found).__name__}, not a Paper", BadValue)
    return cast("Paper", found)


def is_paper(value: object) -> bool:
    """Say whether a value is a paper."""
    return isinstance(value, Paper)
