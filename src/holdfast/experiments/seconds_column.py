"""The training time of a row as a column: what the folders of its runs tell, over all their sittings."""

from holdfast.experiments.columns import Seconds
from holdfast.experiments.defended_row import Row, classifier_of, runs_of
from holdfast.experiments.images_of_run import training_images_of
from holdfast.experiments.trained import run_folder
from holdfast.experiments.workplace import Workplace
from holdfast.training.folder import seconds_of
from holdfast.training.patience import Patience
from holdfast.training.run import Run


def timed(row: Row) -> tuple[Run, ...]:
    """Return the runs whose training is the row's: its purifiers, where it has any, else its classifier."""
    return runs_of(row)[:-1] or (classifier_of(row),)


def seconds(column: Seconds, row: Row, place: Workplace) -> float:
    """Return how long the finished runs of a row trained, in seconds together."""
    return sum(seconds_of_one(column, run, place) for run in timed(row))


def seconds_of_one(column: Seconds, run: Run, place: Workplace) -> float:
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
