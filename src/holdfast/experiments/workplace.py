"""Where tables and figures are filled."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workplace:
    """A folder, a device, and data."""

    folder: Path = Path("runs/papers")
    """Where runs, outcomes and results are kept."""
    device: str = "cpu"
    data_root: Path | None = None
    """Where the data sets lie; $HOLDFAST_DATA, else ./data, where none is given."""
    download: bool = False
    """Fetch a data set that is missing."""
