"""What lies below a folder, behind links to folders too: each folder once, and none that is hidden."""

import os
from collections.abc import Iterator
from pathlib import Path


def walked(place: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders and the names of the files in each; links in circles are not followed twice."""
    visited = set()
    for deeper, folders, names in os.walk(place, followlinks=True):
        real = os.path.realpath(deeper)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(deeper), names
