"""Where tables and figures are computed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workplace:
    """A folder for what is computed, a device, and the place of the data sets."""

    folder: Path = Path("runs/papers")
    """The folder of runs, outcomes and results."""
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""
    data_root: Path | None = None
    """The folder of the data sets (default: $HOLDFAST_DATA, else ./data)."""
    download: bool = False
    """Download a data set that is missing."""
