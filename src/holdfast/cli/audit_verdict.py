"""What `holdfast audit` gives at its end: the page, the JSON, the text and the status."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.auditing.comparison import compare
from holdfast.auditing.launched import is_main
from holdfast.auditing.report import Report
from holdfast.auditing.report_json import as_json, comparison_as_json
from holdfast.cli.audit_request import Audit
from holdfast.cli.seeds import on_average
from holdfast.devices import have, on_which, remedy
from holdfast.errors import printable
from holdfast.metrics import mean_std
from holdfast.report.html_audit import Audited, apart, audit_page
from holdfast.storage.signed import write_text

Done = tuple[dict[str, Any], list[Audited]]
"""What an audit wrote down as JSON, and of each of its networks the report."""
LOWER = 3
"""The status of a network that is less robust than required."""


def tell_without_page() -> None:
    """Say, where no page can be made, which extra makes one."""
    if is_main() and not have("report"):
        print(f"holdfast: report.html is not written; it needs an extra: {remedy('report')}", file=sys.stderr)


def written(options: Audit, audits: Sequence[Audited]) -> dict[str, Any]:
    """Write the page and the JSON, print the words where JSON is not asked for, and return the JSON's object."""
    names = [each.origin.network for each in audits]
    comparison = compare(audits[0].report, audits[1].report, apart(names)) if len(audits) == 2 else None
    objects = [as_json(each.report, each.origin) for each in audits]
    whole = objects[0] if comparison is None else {
        "first": objects[0], "second": objects[1], "comparison": comparison_as_json(comparison)
    }  # fmt: skip
    write_text(options.folder / "report.json", json.dumps(whole, allow_nan=False, indent=1) + "\n")
    page = options.folder / "report.html"
    if have("report"):
        write_text(page, audit_page(audits, comparison))
    else:
        page.unlink(missing_ok=True)  # of an earlier audit
    if not options.json:
        said = ["\n".join(filter(None, (each.origin.network, *_beside(each), str(each.report)))) for each in audits]
        said += [str(comparison)] if comparison is not None else []
        there = on_which(audits[0].origin.conditions)
        print("\n\n".join([*said, f"{there}\nreport: {page if have('report') else page.with_suffix('.json')}"]))
    return whole


def _beside(audited: Audited) -> tuple[str, ...]:
    """Return what is said before the verdict: how the network and its images were read, and what others published."""
    origin = audited.origin
    framed = f"images {origin.framed}" if origin.framed else ""
    published = f"published: {origin.published}" if origin.published else ""
    return (origin.assumed or "", framed, published)


def told(options: Audit, names: Sequence[str], done: Sequence[Done]) -> int:
    """Print the one object of JSON, or what all seeds came to on average, and return the status."""
    columns = [[each.report for each in column] for column in zip(*(audits for _, audits in done), strict=True)]
    if options.json:
        objects = [whole for whole, _ in done]
        print(json.dumps(over_seeds(options.seeds, objects, columns) if options.seeds else objects[0], allow_nan=False))
    elif options.seeds:
        for name, reports in zip(apart(names), columns, strict=True):
            print(f"\n{printable(name)}: {claim_over(options.seeds, reports)}")
    return status(options, [each for _, audits in done for each in audits])


def claim_over(seeds: Sequence[int], reports: Sequence[Report]) -> str:
    """Return what the robust accuracies of a network came to over seeds, in words."""
    mean = on_average([each.robust_accuracy for each in reports], seeds)
    if any(each.answers_at_random for each in reports):
        return f"robust accuracy: {mean}; {meaning_over(reports)}"
    return f"robust accuracy at most: {mean}"


def meaning_over(reports: Sequence[Report]) -> str:
    """Return what kind of number the mean is: an upper bound, unless the network answers at random."""
    return next((each.meaning for each in reports if each.answers_at_random), reports[0].meaning)


def over_seeds(
    seeds: Sequence[int], objects: Sequence[Mapping[str, Any]], columns: Sequence[Sequence[Report]]
) -> dict[str, Any]:
    """Return one object of the audits of several seeds: each of them, and of each network the mean and deviation."""
    averages = [(mean_std([each.robust_accuracy for each in reports]), meaning_over(reports)) for reports in columns]
    return {
        "seeds": dict(zip(map(str, seeds), objects, strict=True)),
        "robust_accuracy": [
            {"mean": mean, "std": std if len(seeds) > 1 else None, "robust_accuracy_is": meaning}
            for (mean, std), meaning in averages
        ],
    }


def status(options: Audit, audits: Sequence[Audited]) -> int:
    """Return 3 where a network is less robust than required, and say so, else 0."""
    low = [each for each in audits if options.require is not None and each.report.robust_accuracy < options.require]
    for each in audits if options.require is not None else ():
        unsure = [check.name for check in each.report.checks if check.state in ("raised", "could not run")]
        if each not in low and unsure:
            said = f"{each.origin.network} is as robust as required, but these checks raise doubts: {', '.join(unsure)}"
            print(f"holdfast: {said}", file=sys.stderr)
    for each in low:
        said = f"{each.origin.network}: {each.report.claim}"
        print(f"holdfast: {said}, lower than the required {options.require:.2%}", file=sys.stderr)
    return LOWER if low else 0
