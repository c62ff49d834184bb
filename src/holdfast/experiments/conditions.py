"""How the runs of a table or a figure trained, and on what its numbers were measured, in words."""

from collections.abc import Iterable, Sequence

from holdfast.storage.describe import short_repr
from holdfast.storage.measured import UNKNOWN, Measured
from holdfast.training.run import Run


def conditions(measured: Measured, runs: Sequence[Run]) -> dict[str, str]:
    """Say on what the numbers were measured, in this call or in those that stored them."""
    images = said(training_images(run) for run in runs)
    length = said(f"{run.steps} steps" if run.steps else f"{run.epochs} epochs" for run in runs)
    batch = said(run.batch for run in runs)
    movers = said(short_repr(run.optimizer) for run in runs)
    return {
        "data": said(run.data for run in runs),
        "network": said(run.model + (", pretrained" if run.pretrained else "") for run in runs),
        "training": f"{length}, {images}, batch {batch}, {movers}",
        "hardware": "; ".join(measured.hardware) or UNKNOWN,
        "precision": f"{said(run.precision for run in runs)} training, float32 evaluation",
        "versions": "; ".join(measured.versions) or UNKNOWN,
    }


def training_images(run: Run) -> str:
    """Say how many images a run is given, and how many of these it holds out."""
    given = f"{'all' if run.limit is None else run.limit} images"
    return f"{given} less {run.held_out} held out" if run.held_out else given


def said(values: Iterable[object]) -> str:
    """Return the different values in words."""
    return ", ".join(sorted({str(value) for value in values}))
