"""A report as one JSON object: every number that the table shows, every image's fate, and how to repeat it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.auditing.checks_registry import criterion_of
from holdfast.auditing.comparison import Comparison
from holdfast.auditing.findings import Check
from holdfast.auditing.report import Report
from holdfast.storage.describe import describe

Written = dict[str, Any]
"""What json.dumps takes with allow_nan=False."""


@dataclass(frozen=True)
class Origin:
    """What a report is about, and how to make it again."""

    network: str
    """As it was named on the command line."""
    weights: str
    """The fingerprint of its weights."""
    data: str
    images: str
    """The fingerprint of every pixel and label."""
    batch: int
    command: str
    conditions: Mapping[str, str]
    """Hardware and versions."""
    assumed: str | None = None
    """How its file of weights was read, and what was assumed of it because nobody said it: its normalisation."""
    framed: str = ""
    """How pictures of other sizes became the images, in words."""
    published: str = ""
    """Which accuracies others published of the network, in words."""


def as_json(report: Report, origin: Origin) -> Written:
    """Return everything that a report says."""
    margins = None if report.margin is None else report.margin.tolist()
    return {
        **asdict(origin),
        "count": len(report.broken_by),
        "threat": describe(report.threat),
        "effort": report.effort,
        "seed": report.seed,
        "clean_accuracy": report.clean_accuracy,
        "robust_accuracy": report.robust_accuracy,
        "robust_accuracy_is": report.meaning,
        "interval": list(report.interval),
        "passes": report.passes._asdict(),
        "seconds": report.seconds,
        "stages": [
            asdict(stage) | {"accuracy_after": report.accuracy_after(number)}
            for number, stage in enumerate(report.stages)
        ],
        "doubts": [asdict(doubt) | {"figure": _finite(doubt.figure)} for doubt in report.doubts],
        "checks": [_check(each) for each in report.checks],
        "suspicion": report.suspicion,
        "crafted_on": report.crafted_on,
        "precision": report.precision,
        "points_on_disk": None if report.on_disk is None else report.on_disk._asdict(),
        "settled": report.settled,
        "further": report.further,
        **_seen(report),
        "broken_by": report.broken_by.tolist(),
        "margin": None if margins is None else [_finite(each) for each in margins],
    }


def _seen(report: Report) -> Written:
    """Return how a defended network was seen and judged; nothing of one that is not defended."""
    if not report.views:
        return {}
    views = [asdict(view) | {"passes": view.total / len(report.broken_by)} for view in report.views]
    return {"views": views, "grey_box": report.grey_box, "judged_by": report.judged_by}


def comparison_as_json(comparison: Comparison) -> Written:
    """Return everything that a comparison says."""
    return {
        **asdict(comparison),
        "difference": comparison.difference,
        "interval": list(comparison.interval),
        "p_value": comparison.p_value,
        "is_noise": comparison.is_noise,
        "verdict": comparison.verdict,
    }


def _check(check: Check) -> Written:
    figures = {"figure": check.figure, "criterion": check.criterion}
    return {
        "name": check.name,
        "state": check.state,
        **{name: None if figure is None else _finite(figure) for name, figure in figures.items()},
        "words": check.words,
        "passes": check.passes,
        "raised_when": criterion_of(check.name),
    }


def _finite(number: float) -> float | str:
    """Return the number; JSON has none for infinity, so that is a word."""
    return number if math.isfinite(number) else repr(number)
