"""A table with our numbers in it: trains what is missing, evaluates what is missing, reads the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from holdfast import metrics, record
from holdfast.conditions import conditions as measured_on
from holdfast.data import ImageSet, data_root
from holdfast.errors import require
from holdfast.evaluation import Cell, Outcomes, outcomes
from holdfast.networks import centered
from holdfast.report.table import Table
from holdfast.run import Run, seconds_of
from holdfast.training import Tell, loaded, silent, train

WORST = "worst case"


@dataclass(frozen=True)
class Filled:
    """A table's measured values, with everything needed to read and to repeat them."""

    name: str
    table: Table
    scale: str
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    """row -> column -> one accuracy a seed, in [0, 1]."""
    count: int
    """Test images behind each value."""
    train_seconds: Mapping[str, tuple[float, ...]]
    conditions: Mapping[str, str]
    """Hardware, versions and precision."""


@dataclass(frozen=True)
class Workplace:
    """Where tables are filled: folders, device, data."""

    folder: Path
    device: str = "cpu"
    data_root: Path | None = None
    download: bool = False
    tell: Tell = silent


def fill(name: str, table: Table, scale: str, place: Workplace) -> Filled:
    """Return the table with our numbers; what is in the folder already is not computed again."""
    values: dict[str, dict[str, tuple[float, ...]]] = {}
    seconds: dict[str, tuple[float, ...]] = {}
    counts: set[int] = set()
    for row, run in table.rows.items():
        seeded = [_with_seed(run, seed) for seed in table.seeds]
        by_seed = []
        for one in seeded:
            model = network(one, place)
            test_set = images_of(one, table.test_limit, place)
            counts.add(len(test_set))
            by_seed.append(measure(one, model, table, test_set, place))
        values[row] = {column: tuple(each[column] for each in by_seed) for column in by_seed[0]}
        seconds[row] = tuple(seconds_of(run_folder(one, place)) for one in seeded)
    require(len(counts) == 1, f"the rows of {name} have test sets of {sorted(counts)} images: one size is compared")
    return Filled(
        name, table, scale, values, counts.pop(), seconds, conditions(place.device, list(table.rows.values()))
    )


def _with_seed(run: Run, seed: int) -> Run:
    return replace(run, seed=seed)


def run_folder(run: Run, place: Workplace) -> Path:
    """Return the folder that a run's fingerprint names."""
    return place.folder / "runs" / record.fingerprint(run)


def network(run: Run, place: Workplace) -> nn.Module:
    """Return the trained network of a run."""
    place.tell(0, 1, f"training {record.brief(run)}")
    return train(
        run,
        run_folder(run, place),
        device=place.device,
        data_root=place.data_root,
        download=place.download,
        tell=place.tell,
    )


def images_of(run: Run, test_limit: int | None, place: Workplace) -> ImageSet:
    """Return the test images as the run's network sees them."""
    data = loaded(run.data, "test", data_root(place.data_root), place.download, test_limit)
    if run.augment is not None:
        data = centered(data, run.augment)
    return data.to(place.device)


def measure(run: Run, model: nn.Module, table: Table, data: ImageSet, place: Workplace) -> dict[str, float]:
    """Return the accuracy of one network in every column, and their worst case."""
    name = record.fingerprint(run)
    rows: dict[str, Outcomes] = {}
    for column, attack in table.columns.items():
        place.tell(0, 1, f"{name} under {column}")
        cell = Cell(name, name, attack, run.seed)
        rows[column] = outcomes(cell, {name: model}, data, place.folder / "outcomes", tell=place.tell)
    values = {column: metrics.accuracy(each, table.top) for column, each in rows.items()}
    if table.worst:
        values[WORST] = metrics.worst_case([rows[column] for column in table.worst], table.top)
    return values


def conditions(device: str, runs: Sequence[Run]) -> dict[str, str]:
    """Say on what the numbers were measured."""
    there = measured_on(device)
    images = said("all" if run.limit is None else run.limit for run in runs)
    epochs, batch = said(run.epochs for run in runs), said(run.batch for run in runs)
    movers = said(record.brief(run.optimizer) for run in runs)
    return {
        "data": said(run.data for run in runs),
        "network": said(run.model + (", pretrained" if run.pretrained else "") for run in runs),
        "training": f"{epochs} epochs, {images} images, batch {batch}, {movers}",
        "hardware": there["hardware"],
        "precision": f"{said(run.precision for run in runs)} training, float32 evaluation",
        "versions": there["versions"],
    }


def said(values: Iterable[object]) -> str:
    """Return the different values in words."""
    return ", ".join(sorted({str(value) for value in values}))
