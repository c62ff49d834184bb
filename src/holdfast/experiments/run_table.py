"""A table with our numbers in it: trains what is missing, evaluates what is missing, reads the rest."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast import metrics
from holdfast.attacks import Attack
from holdfast.data import ImageSet
from holdfast.defences.views import BARE
from holdfast.errors import TrainingDiverged, require
from holdfast.evaluation import Cell, Outcomes, outcomes, stored_outcomes
from holdfast.experiments.audit_column import audited, drawn
from holdfast.experiments.columns import Audit, Likeness, Neighbours, Seconds, SeenAs, Transfer
from holdfast.experiments.conditions import conditions
from holdfast.experiments.defended_row import Defended, Row, classifier_of, made, runs_of, seeded_row, seen_as
from holdfast.experiments.images_of_run import images_of, training_images_of
from holdfast.experiments.likeness_column import likeness
from holdfast.experiments.log_lines import naming
from holdfast.experiments.neighbours_column import nearest
from holdfast.experiments.seconds_column import seconds as training_seconds
from holdfast.experiments.seconds_column import timed
from holdfast.experiments.seeded_answers import seeded_answers
from holdfast.experiments.shared_images import judged as shared_outcomes
from holdfast.experiments.table import WORST, Column, Table
from holdfast.experiments.table_result import TableResult
from holdfast.experiments.trained import Trained, run_folder, trained
from holdfast.experiments.workplace import Workplace
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.measured import Measured, together
from holdfast.training.dependencies import seeded
from holdfast.training.folder import seconds_of
from holdfast.training.loop import Tell, silent


def fill_table(name: str, table: Table, scale: str, place: Workplace, tell: Tell = silent) -> TableResult:
    """Return the table with our numbers; what is in the folder already is not computed again."""
    values: dict[str, dict[str, tuple[float, ...]]] = {}
    seconds: dict[str, tuple[float, ...]] = {}
    doubts: dict[str, tuple[str, ...]] = {}
    counts: set[int] = set()
    measured: list[Measured] = []
    for name_of_row, row in table.rows.items():
        found = []
        for seed in table.seeds:
            test_set = images_of(classifier_of(row), table.test_limit, place)
            table.check_counts(len(test_set))
            counts.add(len(test_set))
            line = naming(name_of_row, tell, seed if len(table.seeds) > 1 else None)
            found.append(measure(seeded_row(row, seed), seed, table, test_set, place, line))
        values[name_of_row] = {column: tuple(each.values[column] for each in found) for column in found[0].values}
        doubts[name_of_row] = tuple(dict.fromkeys(name for each in found for name in each.doubts))
        measured += [each.measured for each in found]
        seconds[name_of_row] = seconds_of_row(row, table.seeds, place)
    require(len(counts) == 1, f"the rows of {name} have test sets of {sorted(counts)} images: one size is compared")
    there = conditions(together(measured), [run for row in table.rows.values() for run in runs_of(row)])
    return TableResult(name, table, scale, values, counts.pop(), seconds, there, doubts)


def seconds_of_row(row: Row, seeds: Sequence[int], place: Workplace) -> tuple[float, ...]:
    """Return how long a row trained, a value a seed that is finished: its purifiers, where it has any, else its run."""
    folders = [[run_folder(seeded(run, seed), place) for run in timed(row)] for seed in seeds]
    finished = [each for each in folders if all((folder / "model.safetensors").exists() for folder in each)]
    return tuple(sum(map(seconds_of, each)) for each in finished)


@dataclass(frozen=True)
class OfRow:
    """What was found for one network."""

    values: Mapping[str, float]
    """Its accuracy, or its time, in every column, and their worst case."""
    doubts: tuple[str, ...]
    """What its audits doubt, by name."""
    measured: Measured
    """Of accuracies and likenesses."""


def measure(row: Row, seed: int, table: Table, data: ImageSet, place: Workplace, tell: Tell) -> OfRow:
    """Return what is found for one network.

    NaN where its training diverged, or that of the network that a column's images are made against.
    """
    values = dict.fromkeys(table.columns, math.nan)
    rows: dict[str, Outcomes] = {}
    doubts: tuple[str, ...] = ()
    there: list[Measured] = []
    try:
        network = made(row, data, place, tell)
    except TrainingDiverged as error:
        tell(0, 1, str(error))
    else:
        rows, doubts = answers(row, network, seed, table, data, place, tell)
        times = {name: column for name, column in table.columns.items() if isinstance(column, Seconds)}
        values |= {name: training_seconds(column, row, place) for name, column in times.items()}
        alike = {name: column for name, column in table.columns.items() if isinstance(column, Likeness)}
        for name, like in alike.items():
            values[name], measured = likeness_of(row, network, like, seed, data, place, tell)
            there.append(measured)
        values |= {name: metrics.accuracy(found, table.top) for name, found in rows.items()}
    values |= {WORST: worst(row, seed, table, rows)} if table.worst else {}
    return OfRow(values, doubts, together([*there, *(found.measured for found in rows.values())]))


def answers(
    row: Row, network: Trained, seed: int, table: Table, data: ImageSet, place: Workplace, tell: Tell
) -> tuple[dict[str, Outcomes], tuple[str, ...]]:
    """Return what a network answers in every column that can be made, and what its audits doubt."""
    rows: dict[str, Outcomes] = {}
    doubts: tuple[str, ...] = ()
    for name, column in table.columns.items():
        if isinstance(column, Seconds | Likeness):
            continue
        tell(0, 1, f"column {name}")
        if isinstance(column, Audit):
            found = audited(column, network, data, seed, place.folder / "audits", naming(name, tell), drawn(row))
            rows[name], doubts = found.rows, doubts + found.doubts
            continue
        if isinstance(column, Neighbours):
            bank, line = training_images_of(classifier_of(row), place), naming(name, tell)
            rows[name] = nearest(column, network, data, bank, seed, place.folder / "neighbours", line)
            continue
        try:
            rows[name] = evaluate(row, network, column, seed, data, place, tell)
        except TrainingDiverged as error:  # of the network that the images are made against
            tell(0, 1, str(error))
    return rows, doubts


def worst(row: Row, seed: int, table: Table, rows: Mapping[str, Outcomes]) -> float:
    """Return the accuracy in the worst of the table's worst columns, for each image; NaN where none is known.

    Images made against the row's own network are no black box, so the worst case of black boxes leaves them out.
    """
    own = [
        name
        for name, column in table.columns.items()
        if isinstance(column, Transfer) and seeded(column.source, seed) == row
    ]
    known = [rows[name] for name in table.worst if name in rows and name not in own]
    return metrics.worst_case(known, table.top) if known else math.nan


def evaluate(
    row: Row,
    network: Trained,
    column: Attack | Transfer | SeenAs | None,
    seed: int,
    data: ImageSet,
    place: Workplace,
    tell: Tell = silent,
) -> Outcomes:
    """Return what the network of a row answers to a column's images, made against itself or against another's.

    What is stored is read; only where nothing is are the networks loaded.
    """
    judged = attacked = fingerprint(row)
    networks = {judged: network}
    if isinstance(column, Transfer):
        source = seeded(column.source, seed)
        attacked = fingerprint(source)
        networks = {attacked: trained(source, data, place, tell), judged: network}
    elif isinstance(column, SeenAs) and isinstance(row, Defended):
        bare = column.view == BARE
        attacked = fingerprint(classifier_of(row)) if bare else f"{judged} {column.view}"
        networks = {attacked: seen_as(row, column.view, data, place, tell), judged: network}
    attack = column.attack if isinstance(column, Transfer | SeenAs) else column
    cell = Cell(judged, attacked, attack, seed)
    with seeded_answers(data.labels.device, seed) as anew:
        if shares_images(column):
            return shared_outcomes(cell, networks, data, place.folder, tell)
        folder, identities = place.folder / "outcomes", {name: each.identity for name, each in networks.items()}
        found = stored_outcomes(cell, identities, data, folder)
        if found is not None:
            return found
        loaded = {name: each.load() for name, each in networks.items()}
        return outcomes(cell, loaded, data, folder, tell=tell, before=anew, identities=identities)


def likeness_of(
    row: Row, network: Trained, column: Likeness, seed: int, data: ImageSet, place: Workplace, tell: Tell
) -> tuple[float, Measured]:
    """Return how near to the clean images the row's defences bring images, and on what that was measured."""
    with seeded_answers(data.labels.device, seed):
        return likeness(column, network, seen_as(row, BARE, data, place, tell), seed, data, place.folder, tell)


def shares_images(column: Column) -> bool:
    """Say whether a column's images do not depend on the defences of a row."""
    return isinstance(column, Transfer) or (isinstance(column, SeenAs) and column.view == BARE)
