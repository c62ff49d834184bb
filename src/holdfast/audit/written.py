"""A report as one JSON object: every number that the table shows, every image's fate, and how to repeat it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from holdfast import record
from holdfast.audit.comparison import Comparison
from holdfast.audit.verdict import Report

Written = dict[str, Any]
"""What json.dumps takes with allow_nan=False."""

LOOKED_FOR = (
    "accuracy does not fall with eps",
    "answers depend on the batch",
    "black-box beats white-box",
    "budget not converged",
    "gradients inside the network",
    "input rounded or clamped",
    "losses disagree",
    "no gradient reaches the images",
    "one step beats ten",
    "probabilities instead of logits",
    "random output",
    "random search beats the attacks",
    "saturated logits",
    "surrogate differs",
    "too few images",
    "unbounded attack fails",
    "wrong gradients",
    "zero gradients",
)
"""The doubts that every audit looks for, whether it finds them or not."""


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


def as_json(report: Report, origin: Origin) -> Written:
    """Return everything that a report says."""
    margins = None if report.margin is None else report.margin.tolist()
    return {
        **asdict(origin),
        "count": len(report.broken_by),
        "threat": record.describe(report.threat),
        "effort": report.effort,
        "seed": report.seed,
        "clean_accuracy": report.clean_accuracy,
        "robust_accuracy": report.robust_accuracy,
        "robust_accuracy_is": "an upper bound",
        "interval": list(report.interval),
        "passes": report.passes._asdict(),
        "seconds": report.seconds,
        "stages": [
            asdict(stage) | {"accuracy_after": report.accuracy_after(number)}
            for number, stage in enumerate(report.stages)
        ],
        "doubts": [asdict(doubt) | {"figure": _finite(doubt.figure)} for doubt in report.doubts],
        "looked_for": list(LOOKED_FOR),
        "crafted_on": report.crafted_on,
        "broken_by": report.broken_by.tolist(),
        "margin": None if margins is None else [_finite(each) for each in margins],
    }


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


def _finite(number: float) -> float | str:
    """Return the number; JSON has none for infinity, so that is a word."""
    return number if math.isfinite(number) else repr(number)
