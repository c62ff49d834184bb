"""What the checks of an audit cost beside its attacks, in passes of single images, as Markdown.

    python benchmarks/cost_of_checks.py --folder runs/bench/checks        # from the repository's root

Each network of the zoo that is named is audited on digits, with each effort and each number of images.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from side_by_side import machine
from zoo import Member, images, network
from zoo_honest import honest
from zoo_masked import masked

import holdfast as hf

NAMED = ("ReLU batch norm, adversarial", "half detached")
"""One network that hides nothing, and one that hides its gradients."""


def main() -> None:
    """Audit, and print a table of the audits and one of the checks."""
    chosen = arguments()
    torch.set_num_threads(1)
    members = {member.name: member for member in (*honest(), *masked())}
    audits = [
        (name, effort, count, audited(members[name], effort, count, chosen.folder))
        for name in chosen.only
        for effort in chosen.efforts
        for count in chosen.counts
    ]
    print(table([line(*each) for each in audits], ("network", "effort", "images", "attacks", "checks", "share")))
    reports = {f"{name}, {effort}, {count}": report for name, effort, count, report in audits}
    costs = [
        (check.name, *(f"{report.checks[place].passes:,}" for report in reports.values()))
        for place, check in enumerate(next(iter(reports.values())).checks)
    ]
    print(table(costs, ("check", *reports)))
    print(machine("cpu"))


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/checks"), help="where networks are kept")
    parser.add_argument("--only", nargs="+", default=NAMED, help="names of networks of the zoo on digits")
    parser.add_argument("--efforts", nargs="+", default=("fast", "standard"))
    parser.add_argument(
        "--counts", nargs="+", type=int, default=(60, 300, 1000), help="numbers of images, 1,797 at most"
    )
    return parser.parse_args()


def audited(member: Member, effort: str, count: int, folder: Path) -> hf.Report:
    """Return the report on the first images of the digits: of the test half, then of the other."""
    halves = [images("digits", split) for split in ("test", "train")]
    shown = torch.cat([each.take(torch.arange(len(each))) for each in halves])[:count]
    labels = torch.cat([each.labels for each in halves])[:count]
    return hf.audit(network(member, folder), shown, labels, member.threat, effort)


def line(name: str, effort: str, count: int, report: hf.Report) -> tuple[str, ...]:
    """Return one audit's line."""
    *attacks, checks = (stage.total for stage in report.stages)
    share = f"{100 * checks / (sum(attacks) + checks):.0f} %"
    return name, effort, f"{count:,}", f"{sum(attacks):,}", f"{checks:,}", share


def table(lines: list[tuple[str, ...]], heads: tuple[str, ...]) -> str:
    """Return lines under their heads, as Markdown."""
    return "\n".join(f"| {' | '.join(each)} |" for each in (heads, ("---",) * len(heads), *lines)) + "\n"


if __name__ == "__main__":
    main()
