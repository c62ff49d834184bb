"""Weights & Biases. WANDB_MODE=offline keeps everything in the run's folder, and needs no account."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.devices import need
from holdfast.loggers.logger import Write, told
from holdfast.storage.describe import Described


@dataclass(frozen=True)
class WandB:
    """A run in a project, under the name of holdfast's run: carried out again, it is the same."""

    project: str = "holdfast"

    def __post_init__(self) -> None:
        """Refuse to begin without the package."""
        need("wandb")

    @contextmanager
    def open(self, name: str, run: Described, folder: Path, step: int) -> Iterator[Write]:
        """Begin the run there, or go on with it."""
        with told(f"wandb:{self.project}"):
            import wandb

            place = {"project": self.project, "id": name, "name": folder.name, "dir": str(folder)}
            ours = wandb.init(config=run, resume="allow", **place)

        def write(at: int, values: Mapping[str, float]) -> None:
            with told(f"wandb:{self.project}"):
                ours.log(dict(values), step=at)

        try:
            yield write
        except BaseException:
            ours.finish(exit_code=1)
            raise
        ours.finish()
