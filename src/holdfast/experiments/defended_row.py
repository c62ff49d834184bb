"""A row of a table that is no run alone: a run's classifier behind defences, some of which are purifiers' runs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from torch import nn

from holdfast.data import ImageSet
from holdfast.defences import Defence, defend
from holdfast.defences.views import BARE, PLAIN, views
from holdfast.experiments.trained import Trained, trained
from holdfast.experiments.workplace import Workplace
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.dependencies import seeded, with_origins
from holdfast.training.loop import Tell, silent
from holdfast.training.run import Run


@dataclass(frozen=True)
class Defended:
    """A classifier's run behind defences, the first of which sees the images first; a run among them is a purifier's.

    Defended(Run(model="vgg-19"), (JPEG(75), Run(Pix2Pix(), model="unet-b")))
    """

    classifier: Run
    defences: tuple[Defence | Run, ...]


Row = Run | Defended
"""Whose answers count in a row of a table."""


def classifier_of(row: Row) -> Run:
    """Return the run whose network answers at the end."""
    return row.classifier if isinstance(row, Defended) else row


def runs_of(row: Row) -> tuple[Run, ...]:
    """Return the runs that a row needs, the classifier's last."""
    if isinstance(row, Run):
        return (row,)
    return (*(each for each in row.defences if isinstance(each, Run)), row.classifier)


def each_run(row: Row, change: Callable[[Run], Run]) -> Row:
    """Return the row with `change` of each run that it names."""
    changed: Row = change(row) if isinstance(row, Run) else with_origins(row, change)
    return changed


def seeded_row(row: Row, seed: int) -> Row:
    """Return the row with `seed` added to the seeds of all its runs."""
    return each_run(row, lambda run: seeded(run, seed))


def made(row: Row, data: ImageSet, place: Workplace, tell: Tell = silent) -> Trained:
    """Return the network of a row; runs that are not finished are carried out first.

    Raises:
        BadRecord, TrainingDiverged: as `trained`.
    """
    if isinstance(row, Run):
        return trained(row, data, place, tell)
    classifier = trained(row.classifier, data, place, tell)
    parts = [trained(each, data, place, tell) if isinstance(each, Run) else each for each in row.defences]
    if not parts:
        return classifier
    named = [each.identity if isinstance(each, Trained) else each for each in parts]

    def load() -> nn.Module:
        return defend(classifier.load(), *(each.load() if isinstance(each, Trained) else each for each in parts))

    return Trained(fingerprint([classifier.identity, named, _code()]), cache(load))


def seen_as(row: Row, view: str, data: ImageSet, place: Workplace, tell: Tell = silent) -> Trained:
    """Return the network of a row as an attacker sees it; what has no such view is seen with plain gradients."""
    if view == BARE:  # its images are those that are made against the classifier's own row
        return trained(classifier_of(row), data, place, tell)
    whole = made(row, data, place, tell)
    if view == PLAIN or isinstance(row, Run):
        return whole

    def load() -> nn.Module:
        network = whole.load()
        seen = views(network).get(view, network)
        assert isinstance(seen, nn.Module), "the views of a module are modules"
        return seen

    return Trained(fingerprint([whole.identity, view]), cache(load))


@cache
def _code() -> str:
    """Return a name made of the code of the defences."""
    digest = hashlib.sha256()
    for file in sorted(resources.files("holdfast.defences").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]
