"""TensorBoard's event files, in the run's folder: `tensorboard --logdir runs` shows all runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.devices import need
from holdfast.loggers.logger import Write, told
from holdfast.storage.describe import Described


@dataclass(frozen=True)
class TensorBoard:
    """Event files in FOLDER/tensorboard."""

    def __post_init__(self) -> None:
        """Refuse to begin without the package."""
        need("tensorboard")

    @contextmanager
    def open(self, name: str, run: Described, folder: Path, step: int) -> Iterator[Write]:
        """Write one event file a sitting; what an interrupted one wrote after `step` is hidden."""
        with told("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

        def write(at: int, values: Mapping[str, float]) -> None:
            with told("tensorboard"):
                for term, value in values.items():
                    writer.add_scalar(term, value, at)
                writer.flush()

        try:
            yield write
        finally:
            writer.close()
