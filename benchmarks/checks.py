"""What each check says of the honest networks of the zoo, whom it must not accuse, and of the masked, whom it must.

    python benchmarks/checks.py --folder runs/bench/checks        # from the repository's root; goes on where it was

Each network is attacked by the first step of `standard`, and then looked at; what a raised check would lead to is left
out. That a network is honest is a fact of its own: what `standard` leaves of it is shown to the whole of AutoAttack.
With $HOLDFAST_DATA set, the public networks there are judged, too.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from side_by_side import machine
from zoo import JUDGED, Member, file_name, half, images, network
from zoo_honest import honest
from zoo_masked import BENEATH, masked, scaled

from holdfast.auditing import checks
from holdfast.auditing.allocation import Allocation
from holdfast.auditing.checks import checks_of_attacks, checks_of_network
from holdfast.auditing.checks_registry import AFTER, BEFORE, NO_GRADIENT
from holdfast.auditing.engine import Begun, Subject, go_on, run_moves, stages_of, untold
from holdfast.auditing.engine_state import STANDS
from holdfast.auditing.findings import RANDOM_OUTPUT
from holdfast.auditing.schedule import moves_of
from holdfast.auditing.surrogate import fast_copy
from holdfast.metrics import share_of
from holdfast.passes import counting
from holdfast.storage.signed import write_text

TRUSTED = 24
"""How many of the images that the first step of `standard` leaves are shown to AutoAttack."""
HARD = 2
"""A network of which AutoAttack breaks so many of the images it is shown is hard for the audit's attacks, whatever the
checks say of it: one of 24 is what an audit may leave by chance."""
NO_ACCUSATION = "too few images"
"""A doubt about the data, not about the network."""

MEANS = {
    "random output": "one success, or one failure, may be luck",
    "probabilities instead of logits": "gradients vanish where the network is sure",
    "gradients inside the network": "attacks that do not follow the loop fail",
    "no gradient reaches the images": "attacks by gradient say nothing",
    "saturated logits": "the answers are at a ceiling without a slope",
    "zero gradients": "the network changes in steps, between which climbs stand still",
    "answers depend on the batch": "the robustness of one image means nothing",
    "input rounded or clamped": "gradients do not see over the steps",
    "wrong gradients": "gradients do not say how the answer changes",
    "black-box beats white-box": "gradients mislead",
    "random search beats the attacks": "the attacks fail",
    "shorter ways beat the attacks": "climbs fail, walks along the boundary do not",
    "budget not converged": "the attacks were stopped too early",
    "unbounded attack fails": "the search fails, not the attacker",
    "accuracy does not fall with eps": "larger balls are searched worse",
    "one step beats ten": "gradients are of use far from the image only",
    "losses disagree": "one of the losses is masked",
    "surrogate differs": "the fast copy is none",
    "clean accuracy at chance": "the network does not know the images",
    "too few images": "the number is open, whatever the network",
}
"""What each doubt means, in a few words."""
KINDS = ("honest", "masked", "scaled")
Row = dict[str, Any]


def main() -> None:
    """Measure what is missing, and print the tables."""
    chosen = arguments()
    torch.set_num_threads(1)
    rows = []
    for kind, members in (("honest", honest()), ("masked", masked()), ("scaled", scaled())):
        for place, member in enumerate(members if kind in chosen.kinds else ()):
            if (chosen.only and member.name not in chosen.only) or member.name in chosen.without:
                continue
            row = measured(member, kind, chosen)
            hard = kind == "honest" and row.get("trusted", {"broken": 0})["broken"] >= HARD
            rows.append({"kind": "hard" if hard else kind, "half": half(place), **row})
            print(line(rows[-1]), flush=True)
    print(table(rows))
    if chosen.write:
        brief = [row | {"checks": {c["name"]: [c["state"], c["figure"]] for c in row["checks"]}} for row in rows]
        lines = ",\n".join(json.dumps(row) for row in brief)
        conditions = json.dumps(machine("cpu"))
        write_text(chosen.write, f'{{"conditions": {conditions}, "networks": [\n{lines}\n]}}\n')


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/checks"))
    parser.add_argument("--only", nargs="+", help="names of networks")
    parser.add_argument("--without", nargs="+", default=(), help="names of networks to leave out")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--again", nargs="+", default=(), help="checks to make again, on the attacks that were made")
    parser.add_argument("--untrusted", action="store_true", help="leave out what is not measured of AutoAttack")
    parser.add_argument("--write", type=Path, help="a file for what was measured")
    return parser.parse_args()


def measured(member: Member, kind: str, chosen: argparse.Namespace) -> Row:
    """Return what the checks and AutoAttack say of one network; what is known is read."""
    name = file_name(member.name)
    path = chosen.folder / kind / f"{name}.json"
    row: Row = json.loads(path.read_text()) if path.exists() else {"name": member.name, "threat": str(member.threat)}
    attacks = chosen.folder / kind / f"{name}.pt"
    if "checks" not in row:
        row |= looked_at(member, chosen.folder, attacks)
    elif chosen.again:
        row["checks"] = renewed(row["checks"], member, chosen, attacks)
    if kind == "honest" and "trusted" not in row and not chosen.untrusted:
        row |= trusted(member, chosen.folder, attacks)
    if member.kept_as and kind != "honest" and "beneath" not in row:
        row |= {"beneath": beneath(chosen.folder)}
    write_text(path, json.dumps(row) + "\n")
    return row


def subject_of(member: Member, folder: Path) -> Subject:
    """Return the network, its images, and the copy that it is attacked on, as an audit does."""
    data = images(member.data, "test")
    place = torch.arange(JUDGED) * len(data) // JUDGED  # spread evenly, as some sets come class by class
    some = data.take(place)
    model = network(member, folder)
    copy = fast_copy(model, some)
    return Subject(model, copy.network, some, data.labels[place], words=copy.words)


def attacked(subject: Subject, member: Member, path: Path) -> Any:
    """Return what the first step of `standard` found, made now or read."""
    if not path.exists():
        begun = Begun.of(subject, moves_of("standard", member.threat), None, untold)
        go_on(subject, begun, Allocation())
        found, stages = begun.progress, stages_of(begun)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save((found, stages), path)
    return torch.load(path, weights_only=False)


def looked_at(member: Member, folder: Path, path: Path) -> Row:
    """Return every check's finding, the accuracies, and what the checks cost."""
    subject = subject_of(member, folder)
    found, stages = attacked(subject, member, path)
    began = time.process_time()
    with counting() as spent:
        made = checks_of_network(subject, member.threat)
        made = checks_of_attacks(subject, member.threat, found, stages, made, twice=True)
    return {
        "clean": share_of(found.broken_by != 0),
        "standard": share_of(found.broken_by == STANDS),
        "checks": [asdict(each) for each in made],
        "passes": spent.total,
        "seconds": round(time.process_time() - began, 1),
    }


def renewed(known: list[Row], member: Member, chosen: argparse.Namespace, path: Path) -> list[Row]:
    """Return the checks with those that were asked for made again, and those that a random network rules out."""
    subject = subject_of(member, chosen.folder)
    found, stages = attacked(subject, member, path)
    first = tuple(kind for kind in BEFORE if kind.name in (RANDOM_OUTPUT, NO_GRADIENT, *chosen.again))
    last = tuple(kind for kind in AFTER if kind.name in chosen.again)
    with patch.object(checks, "BEFORE", first), patch.object(checks, "AFTER", last):
        before = checks_of_network(subject, member.threat)
        made = checks_of_attacks(subject, member.threat, found, stages, before, twice=True)
    new = {each.name: asdict(each) for each in made}
    added = [each for name, each in new.items() if name not in {old["name"] for old in known}]
    return [*(new.get(each["name"], each) for each in known), *added]


def trusted(member: Member, folder: Path, path: Path) -> Row:
    """Return how many of the images that these attacks leave the whole of AutoAttack breaks, of those it was shown."""
    subject = subject_of(member, folder)
    found, _ = attacked(subject, member, path)
    left = found.standing()
    shown = left[:: max(1, len(left) // TRUSTED)][:TRUSTED]
    if len(shown) == 0:
        return {"trusted": {"shown": 0, "broken": 0, "points": 0.0}}
    few = Subject(subject.model, subject.crafted_on, subject.images[shown], subject.labels[shown])
    broken = int((run_moves(few, moves_of("autoattack", member.threat))[0].broken_by != STANDS).sum())
    points = 100 * broken / len(shown) * len(left) / len(subject.images)
    return {"trusted": {"shown": len(shown), "broken": broken, "points": round(points, 2)}}


def beneath(folder: Path) -> float:
    """Return what these attacks leave of the network beneath the masks."""
    found, _ = attacked(subject_of(BENEATH, folder), BENEATH, folder / "beneath.pt")
    return share_of(found.broken_by == STANDS)


def raised(row: Row) -> list[str]:
    """Return the checks that accuse a network."""
    return [each["name"] for each in row["checks"] if each["state"] == "raised" and each["name"] != NO_ACCUSATION]


def line(row: Row) -> str:
    """Return one network's line."""
    extra = f" AutoAttack -{row['trusted']['points']:.1f}" if "trusted" in row else ""
    extra += f" beneath {100 * row['beneath']:.1f} %" if "beneath" in row else ""
    return (
        f"{row['kind']} ({row['half']}) {row['name']}: clean {100 * row['clean']:.1f} %, stand "
        f"{100 * row['standard']:.1f} %{extra}; {row['passes']} passes; raised: {', '.join(raised(row)) or 'nothing'}"
    )


def table(rows: list[Row]) -> str:
    """Return for each check how many of each half it accuses, as Markdown."""
    heads = ("check", "raises a doubt when", "means", "honest accused: fit", "held out", "highest figures",
             "masked found: fit", "held out", "figures")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    groups = {kind: [[r for r in rows if (r["kind"], r["half"]) == (kind, which)] for which in ("fit", "held out")]
              for kind in ("honest", "masked")}  # fmt: skip
    for kind in (*BEFORE, *AFTER):
        counts = {who: [share(kind.name, group) for group in each] for who, each in groups.items()}
        highest, found = figures(rows, kind.name)
        cells = (kind.name, kind.criterion, MEANS[kind.name], *counts["honest"], highest, *counts["masked"], found)
        lines.append(f"| {' | '.join(cells)} |")
    any_of = {who: [f"{sum(bool(raised(r)) for r in g)} of {len(g)}" for g in each] for who, each in groups.items()}
    lines.append(f"| **any but the last** | | | {' | '.join(any_of['honest'])} | | {' | '.join(any_of['masked'])} | |")
    return "\n".join(lines)


def share(check: str, group: list[Row]) -> str:
    """Return of how many networks a check raises its doubt."""
    count = sum(any(c["name"] == check and c["state"] == "raised" for c in row["checks"]) for row in group)
    return f"{count} of {len(group)}"


def figures(rows: list[Row], check: str) -> tuple[str, str]:
    """Return the highest figures of the honest networks, and the raised ones' range of the masked."""

    def of(kind: str) -> list[float]:
        return sorted(
            c["figure"] for r in rows if r["kind"] == kind for c in r["checks"]
            if c["name"] == check and c["figure"] is not None and (kind == "honest" or c["state"] == "raised")
        )  # fmt: skip

    high, low = of("honest"), of("masked")
    return (
        ", ".join(f"{figure:.3g}" for figure in high[-3:]),
        f"{low[0]:.3g} to {low[-1]:.3g}" if low else "",
    )


if __name__ == "__main__":
    main()
