"""A report of corruptions as one JSON object: every number that its table shows, and how to repeat it."""

from dataclasses import asdict

from holdfast.auditing.corruption_report import CorruptionReport
from holdfast.auditing.report_json import Origin, Written


def corruptions_as_json(report: CorruptionReport, origin: Origin) -> Written:
    """Return everything that a report of corruptions says."""
    return {
        **asdict(origin),
        "count": report.count,
        "severities": list(report.severities),
        "accuracy": {name: list(report.accuracies(name)) for name in report.right},
        "mean_over": list(report.main),
        "mean_accuracy": report.mean_accuracy,
        "interval": list(report.interval),
        "mean_error": 1 - report.mean_accuracy,
        "baseline": report.baseline,
        "corruption_error": {name: report.corruption_error(name) for name in report.right},
        "mce": report.mce,
        "without_mce": report.without_mce,
        "seconds": report.seconds,
    }
