"""A figure with what was seen in it: trains what is missing, looks where nobody has looked, reads the rest."""

from pathlib import Path

from holdfast import analysis
from holdfast.analysis import Seen
from holdfast.data import ImageSet
from holdfast.errors import BadRecord, TrainingDiverged, require
from holdfast.evaluation import name_of
from holdfast.experiments.figure import Figure, Study
from holdfast.experiments.figure_result import Looked
from holdfast.experiments.run_table import conditions, images_of
from holdfast.experiments.trained import trained
from holdfast.experiments.workplace import Workplace
from holdfast.storage.describe import brief, restore
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_json, write_json
from holdfast.training.dependencies import seeded
from holdfast.training.loop import Tell, silent
from holdfast.training.registry import KINDS, named

WORDS = {**KINDS, **named(analysis), "Study": Study, "Figure": Figure}
"""What a figure on disk may speak of."""


def look(name: str, figure: Figure, scale: str, place: Workplace, tell: Tell = silent) -> Looked:
    """Return the figure with what is seen; what is in the folder already is not looked for again."""
    seen: dict[str, dict[str, Seen]] = {}
    counts = []
    for panel, studies in figure.panels.items():
        seen[panel] = {}
        for label, study in studies.items():
            data = images_of(study.run, figure.test_limit, place)
            counts.append(study.analysis.shown(data))
            seen[panel][label] = _seen(study, figure.seed, data, place, tell)
    runs = [study.run for studies in figure.panels.values() for study in studies.values()]
    return Looked(name, figure, scale, seen, min(counts), conditions(place.device, runs))


def _seen(study: Study, seed: int, data: ImageSet, place: Workplace, tell: Tell) -> Seen:
    try:
        network = trained(seeded(study.run, seed), data, place, tell)
    except TrainingDiverged as error:
        tell(0, 1, str(error))
        return Seen({}, {"training diverged": 1.0})
    name = fingerprint([study.analysis, seed, name_of(data), network.identity])
    path: Path = place.folder / "analyses" / f"{name}.json"

    def make() -> None:
        tell(0, 1, f"looking by {brief(study.analysis)}")
        write_json(path, {"name": name, "seen": study.analysis(network.load(), data, seed)})

    once(path, make)
    remedy = "delete it; it will be computed again"
    said = read_json(path, remedy)
    require(said.get("name") == name, f"{path} is of another analysis: {remedy}", BadRecord)
    seen = restore(said["seen"], WORDS)
    assert isinstance(seen, Seen), "nothing else is written there"
    return seen
