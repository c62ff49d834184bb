"""An audit as one HTML page: the number, how sure it is, what it cost, why one might doubt it, what broke."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.auditing import Report
from holdfast.auditing.checks_registry import criterion_of
from holdfast.auditing.comparison import Comparison
from holdfast.auditing.findings import Check
from holdfast.auditing.report_json import Origin
from holdfast.auditing.view import WORST
from holdfast.experiments.attacked_images import Pictures, looked_at
from holdfast.report.image_grid import gallery
from holdfast.report.robustness_curve import course, survivors
from holdfast.report.template import data_uri, rendered
from holdfast.storage.describe import short_repr
from holdfast.threats import L0, NormalisedLinf, Threat
from holdfast.types import Rows

Shown = dict[str, Any]
"""What the template is given of one part of the page: plain text and numbers, which it escapes."""
TITLES = {
    "first to fall": "The first to fall",
    "barely standing": "Standing, but barely",
    "most stubborn": "The most stubborn",
}


@dataclass(frozen=True, eq=False)
class Audited:
    """A report, and what a page shows of it."""

    report: Report
    origin: Origin
    pictures: Mapping[str, Pictures]
    """By kind, of those that `looked_at` names."""


def audit_page(audited: Sequence[Audited], comparison: Comparison | None = None) -> str:
    """Return one self-contained HTML page of one audit, or of two and how they differ."""
    names = [each.origin.network for each in audited]
    reports = dict(zip(apart(names), (each.report for each in audited), strict=True))
    return rendered(
        "html_audit.html.j2",
        title=f"How robust is {names[0]}?" if len(names) == 1 else f"{' and '.join(names)} compared",
        audits=[_shown(each, number) for number, each in enumerate(audited, 1)],
        comparison=None if comparison is None else _compared(comparison, reports),
        threat=short_repr(audited[0].report.threat),
        unit=_unit(audited[0].report.threat),
    )


def _unit(threat: Threat) -> str:
    """Say what the radius of a threat is counted in."""
    if isinstance(threat, L0):
        return "a number of values"
    if isinstance(threat, NormalisedLinf):
        return "in pixels divided by the deviation of each channel"
    return "in pixels from 0 to 1"


def apart(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, numbered where two are one."""
    return (
        tuple(names)
        if len(set(names)) == len(names)
        else tuple(f"{name} ({place})" for place, name in enumerate(names, 1))
    )


def _shown(audited: Audited, number: int) -> Shown:
    """Return all that is shown of one audit."""
    report, origin = audited.report, audited.origin
    low, high = report.interval
    wrong = 1 - report.clean_accuracy
    return {
        "number": number,
        "name": origin.network,
        "robust": f"{'' if report.answers_at_random else 'at most '}{100 * report.robust_accuracy:.2f} %",
        "meaning": report.meaning,
        "unsettled": "" if report.settled else ", not settled",
        "outlook": report.outlook[:1].upper() + report.outlook[1:],
        "interval": f"{100 * low:.2f} % to {100 * high:.2f} %",
        "count": f"{len(report.broken_by):,}",
        "clean": f"{100 * report.clean_accuracy:.2f} %",
        "threat": short_repr(report.threat),
        "effort": report.effort,
        "shares": [
            ("stand", "stands", 100 * report.robust_accuracy),
            ("broken by an attack", "fell", 100 * (report.clean_accuracy - report.robust_accuracy)),
            ("wrong without any attack", "wrong", 100 * wrong),
        ],
        "views": _views(report),
        "grey_box": report.grey_box,
        "stages": _stages(report),
        "passes": f"{report.passes.forwards:,.1f} forward and {report.passes.backwards:,.1f} backward passes an image",
        "figure": data_uri(survivors({origin.network: report})),
        "in_words": _in_words(report),
        "doubts": [(doubt.name, f"{doubt.figure:.4g}", doubt.meaning) for doubt in report.doubts],
        "stopped": len(report.stopped),
        "suspicion": report.suspicion,
        "checks": [_check(each) for each in report.checks],
        "galleries": _galleries(audited),
        "repeat": _repeat(report, origin),
    }


def _views(report: Report) -> list[tuple[str, str, str, str, str]]:
    """Return the lines of the table of views: name, what the attacker knows, cells, and how warm; the worst is last."""
    if not report.views:
        return []
    lines = [(view.name, view.knows, view.accuracy, view.total / len(report.broken_by)) for view in report.views]
    lines.append((WORST, "", report.robust_accuracy, sum(report.passes)))
    return [
        (name, knows, f"{100 * left:.2f} %", f"{passes:,.1f}", f"{100 * left:.0f}%")
        for name, knows, left, passes in lines
    ]


def _stages(report: Report) -> list[tuple[str, list[str], str]]:
    """Return the table's lines: name, cells, and how much stands, as the warmth of a cell."""
    lines = []
    for number, stage in enumerate(report.stages):
        stands = f"{100 * report.accuracy_after(number):.2f} %"
        fates = [f"{stage.attacked:,}", f"{stage.broken:,}", stands] if stage.attacked else ["-"] * 3
        cost = [f"{stage.forwards:,}", f"{stage.backwards:,}", f"{stage.seconds:.1f}"]
        heat = f"{100 * report.accuracy_after(number):.0f}%" if stage.attacked else "0%"
        lines.append((stage.name, [*fates, *cost], heat))
    return lines


def _in_words(report: Report) -> str:
    """Say what the figure shows, for who cannot see it."""
    said = [f"{100 * stands:.1f} % after {name} at {spent:,.1f} passes" for name, spent, stands in course(report)]
    return f"Share of images that stand: {'; '.join(said)}."


def _check(check: Check) -> tuple[str, str, str, str, str]:
    """Return the line of a check: its name, its state, its figure beside the criterion, its cost, and what it says."""
    figures = "" if check.figure is None else f"{check.figure:.4g}"
    figures += "" if check.criterion is None else f" (criterion {check.criterion:.4g})"
    told = (
        check.words if check.state in ("not applicable", "could not run") else f"raised when {criterion_of(check.name)}"
    )
    return check.name, check.state, figures, f"{check.passes:,}", told


def _galleries(audited: Audited) -> list[Shown]:
    """Return the pictures, and what stands above and under them."""
    report, rows = audited.report, looked_at(audited.report)
    return [
        {
            "title": TITLES[kind],
            "words": _said(kind, report, rows[kind]),
            "image": gallery(pictures),
            "count": len(pictures.images),
            "gain": f"{pictures.gain:.3g}",
            "readings": pictures.readings,
        }
        for kind, pictures in audited.pictures.items()
    ]


def _said(kind: str, report: Report, rows: Rows) -> str:
    """Say how the images of a gallery were chosen."""
    if kind == "first to fall":
        by = sorted(set(report.broken_by.cpu()[rows].tolist()))
        return f"As the audit broke them, by {', '.join(report.stages[stage].name for stage in by)}."
    if report.margin is None:
        return "As the audit left them."
    low, high = report.margin.cpu()[rows].aminmax()
    return f"Where the audit came nearest to a break: highest margins from {low:.3g} to {high:.3g}; 0 is a break."


def _repeat(report: Report, origin: Origin) -> Shown:
    """Return what it takes to make the report again."""
    call = f"hf.audit(model, images, labels, hf.{short_repr(report.threat)}, "
    call += f'effort="{report.effort}", seed={report.seed}, batch={origin.batch}'
    call += ")" if report.precision == "float32" else f', precision="{report.precision}")'
    return {
        "command": origin.command,
        "call": call,
        "facts": {
            "network": f"{origin.network}, weights {origin.weights}",
            "images": f"{len(report.broken_by):,} of {origin.data}, {origin.images}",
            **({"pictures": origin.framed} if origin.framed else {}),
            "attacked on": report.crafted_on,
            **({"judged by": report.judged_by} if report.judged_by else {}),
            **({"points of images": str(report.on_disk)} if report.on_disk else {}),
            "time": f"{report.seconds:.1f} s",
            **({"published": origin.published} if origin.published else {}),
            **({"file of weights": origin.assumed} if origin.assumed else {}),
            **origin.conditions,
        },
    }


def _compared(comparison: Comparison, reports: Mapping[str, Report]) -> Shown:
    """Return what is shown of how two networks differ."""
    low, high = comparison.interval
    return {
        "verdict": comparison.verdict,
        "difference": f"{100 * comparison.difference:+.2f} points",
        "interval": f"{100 * low:+.2f} to {100 * high:+.2f}",
        "p": f"{comparison.p_value:.3g}",
        "names": list(reports),
        "cells": (comparison.both, comparison.first_only, comparison.second_only, comparison.neither),
        "figure": data_uri(survivors(reports)),
        "in_words": " ".join(f"{name}: {_in_words(report)}" for name, report in reports.items()),
    }
