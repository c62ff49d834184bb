"""The training time of a run as a column: what its folder tells, over all its sittings."""

from holdfast.experiments.columns import Seconds
from holdfast.experiments.images_of_run import training_images_of
from holdfast.experiments.trained import run_folder
from holdfast.experiments.workplace import Workplace
from holdfast.training.folder import seconds_of
from holdfast.training.patience import Patience
from holdfast.training.run import Run


def seconds(column: Seconds, run: Run, place: Workplace) -> float:
    """Return how long a finished run trained, in seconds: all of it, or a pass over its training images."""
    whole = seconds_of(run_folder(run, place))
    return whole if column.per == "run" else whole / passes(run, place)


def passes(run: Run, place: Workplace) -> float:
    """Return how many passes over its training images a run makes, without those that another made before it."""
    continued = run.start is not None and run.start.takes == "position"
    if isinstance(run.select, Patience):  # which may end a run before its planned epochs
        return len((run_folder(run, place) / "metrics.jsonl").read_text().splitlines())
    if run.epochs is not None and not continued:
        return run.epochs
    count = len(training_images_of(run, place))
    before = run.start.run if run.start is not None and continued else None
    first = before.steps_on(count) if isinstance(before, Run) else 0
    return (run.steps_on(count) - first) / run.batches_of(count)
