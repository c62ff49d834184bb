"""A figure with the results of its analyses: trains and computes what is missing, and reads the rest."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from holdfast import analysis
from holdfast.analysis import Analysis, AnalysisResult, History, TrainingAnalysis
from holdfast.data import ImageSet
from holdfast.errors import BadRecord, TrainingDiverged, require
from holdfast.experiments.conditions import conditions
from holdfast.experiments.defended_row import classifier_of, made, runs_of, seeded_row
from holdfast.experiments.figure import Figure, Study
from holdfast.experiments.figure_result import FigureResult
from holdfast.experiments.images_of_run import images_of, training_images_of
from holdfast.experiments.log_lines import naming
from holdfast.experiments.seeded_answers import seeded_answers
from holdfast.experiments.trained import run_folder
from holdfast.experiments.workplace import Workplace
from holdfast.storage.describe import restore, short_repr
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.measured import Measured, here, said_by, together
from holdfast.storage.signed import read_json, write_json
from holdfast.training.dependencies import seeded
from holdfast.training.loop import Tell, silent
from holdfast.training.registry import KINDS, named

WORDS = {**KINDS, **named(analysis), "Study": Study, "Figure": Figure}
"""What a figure on disk may speak of."""
Look = Callable[[nn.Module], AnalysisResult]


def fill_figure(name: str, figure: Figure, scale: str, place: Workplace, tell: Tell = silent) -> FigureResult:
    """Return the figure with the results of its analyses; those that the folder holds are read."""
    results: dict[str, dict[str, AnalysisResult]] = {}
    counts, measured = [], []
    for panel, studies in figure.panels.items():
        results[panel] = {}
        for label, study in studies.items():
            data = images_of(classifier_of(study.run), figure.test_limit, place)
            counts.append(study.analysis.count(data))
            line = naming(": ".join(filter(None, (panel, label))) or name, tell)
            results[panel][label], there = _result(study, figure.seed, data, place, line)
            measured.append(there)
    runs = [run for studies in figure.panels.values() for study in studies.values() for run in runs_of(study.run)]
    return FigureResult(name, figure, scale, results, min(counts), conditions(together(measured), runs))


def _result(study: Study, seed: int, data: ImageSet, place: Workplace, tell: Tell) -> tuple[AnalysisResult, Measured]:
    """Return what a study sees, and on what that was measured."""
    try:
        network = made(seeded_row(study.run, seed), data, place, tell)
    except TrainingDiverged as error:
        tell(0, 1, str(error))
        return AnalysisResult({}, {"training diverged": 1.0}), Measured()
    if isinstance(study.analysis, History):
        return study.analysis(run_folder(seeded(runs_of(study.run)[0], seed), place)), Measured()
    see, sets = _look(study, seed, data, place)
    words = [data.classes] if study.analysis.names_classes else []
    name = fingerprint([study.analysis, seed, *(each.fingerprint for each in sets), network.identity, *words])
    path: Path = place.folder / "analyses" / f"{name}.json"

    def make() -> None:
        tell(0, 1, short_repr(study.analysis))
        model = network.load()
        with seeded_answers(data.labels.device, seed):
            write_json(path, {"name": name, "seen": see(model), "measured": here(data.labels.device)})

    once(path, make)
    remedy = "delete it; it will be computed again"
    said = read_json(path, remedy)
    require(said.get("name") == name, f"{path} is of another analysis: {remedy}", BadRecord)
    result = restore(said["seen"], WORDS)
    assert isinstance(result, AnalysisResult), "nothing else is written there"
    return result, said_by(said.get("measured"))


def _look(study: Study, seed: int, data: ImageSet, place: Workplace) -> tuple[Look, tuple[ImageSet, ...]]:
    """Return the analysis as a function of the network, and the images that it sees: training images if it asks."""
    if isinstance(study.analysis, Analysis):
        return partial(study.analysis, data=data, seed=seed), (data,)
    assert isinstance(study.analysis, TrainingAnalysis), "a history asks no network"
    train_set = training_images_of(seeded(classifier_of(study.run), seed), place)
    return partial(study.analysis, data=data, train_set=train_set, seed=seed), (data, train_set)
