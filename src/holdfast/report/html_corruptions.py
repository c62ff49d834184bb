"""A report of corruptions as one HTML page: the mean, and the accuracy by corruption and severity."""

from holdfast.auditing.corruption_report import CorruptionReport
from holdfast.auditing.report_json import Origin
from holdfast.report.template import rendered


def corruptions_page(report: CorruptionReport, origin: Origin) -> str:
    """Return one self-contained HTML page."""
    low, high = report.interval
    return rendered(
        "html_corruptions.html.j2",
        title=f"How does {origin.network} read corrupted images?",
        mean=f"{100 * report.mean_accuracy:.2f} %",
        interval=f"{100 * low:.2f} % to {100 * high:.2f} %",
        count=f"{report.count:,}",
        words=report.words(),
        heads=[*(f"severity {each}" for each in report.severities), "mean", "corruption error"],
        rows=[(name, name not in report.main, _cells(report, name), _error(report, name)) for name in report.right],
        columns=[_cell(report.accuracy_at(each)) for each in report.severities] + [_cell(report.mean_accuracy)],
        command=origin.command,
        facts={
            "network": f"{origin.network}, weights {origin.weights}",
            "images": f"{report.count:,} for each corruption and severity of {origin.data}",
            **({"pictures": origin.framed} if origin.framed else {}),
            **({"assumed": origin.assumed} if origin.assumed else {}),
            "time": f"{report.seconds:.1f} s",
            **origin.conditions,
        },
    )


def _cells(report: CorruptionReport, name: str) -> list[tuple[str, str]]:
    return [*map(_cell, report.accuracies(name)), _cell(report.accuracy(name))]


def _cell(share: float) -> tuple[str, str]:
    """Return an accuracy, and how warm its cell is."""
    return f"{100 * share:.2f} %", f"{100 * share:.0f}%"


def _error(report: CorruptionReport, name: str) -> str:
    error = report.corruption_error(name)
    return "-" if error is None else f"{100 * error:.2f} %"
