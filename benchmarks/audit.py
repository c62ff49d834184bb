"""The audit beside pyautoattack and our own AutoAttack: robust accuracy, time and passes, on networks of many kinds.

    python benchmarks/audit.py                                 # what needs no data set: networks trained on digits
    python benchmarks/audit.py --data-root DATA --public MODELS --cifar CIFAR10.zip            # all of them

Networks are trained once and kept, as is every measured row, under --folder; a row that is there is not measured again.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from audited_networks import Case, cases
from judge import judged
from side_by_side import machine

import holdfast as hf
from holdfast.storage.signed import write_text


def main() -> None:
    """Measure every row that is missing, and print the table."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    rows = []
    for case in cases(chosen):
        if chosen.only and case.name not in chosen.only:
            continue
        case = replace(case, count=chosen.count or case.count)
        for who in ("judge", *case.efforts):
            if chosen.who and who not in chosen.who:
                continue
            path = chosen.folder / f"{case.name}, {case.threat}, {case.count}, {who}.json".replace(" ", "-")
            if not path.exists() and not chosen.known:
                write_text(path, json.dumps(measured(case, who, chosen)) + "\n")
            if path.exists():
                rows.append((case, who, json.loads(path.read_text())))
    print(table(rows))
    print("; ".join(machine(chosen.device).values()))


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument(
        "--public",
        type=Path,
        help="a folder with trades-mnist-smallcnn.safetensors, wong-kolter-mnist.pth and wong-cifar-small-8px.pth",
    )
    parser.add_argument("--who", nargs="+", help="the judge, or efforts")
    parser.add_argument("--cifar", help="CIFAR-10 as JPEG, a folder or a zip")
    parser.add_argument("--known", action="store_true", help="measure nothing; print what is known")
    parser.add_argument("--only", nargs="+", help="names of networks")
    parser.add_argument("--count", type=int, help="how many images, instead of each network's own number")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/audit"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def measured(case: Case, who: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return what one judge says of one network."""
    test = hf.load(case.data, "test", root=chosen.data_root)
    place = torch.arange(min(case.count, len(test)))
    images, labels = test.take(place).to(chosen.device), test.labels[place].to(chosen.device)
    model = case.model().to(chosen.device).eval()
    print(f"{case.name}: {who}", flush=True)
    began = time.process_time()
    if who == "judge":
        found = judged(model, images, labels, type(case.threat).__name__, case.threat.eps)
        forwards, backwards = (sum(cost[kind] for cost in found["spent"].values()) for kind in (0, 1))
        cost = {"seconds": found["seconds"], "of the processor": found.get("processor", time.process_time() - began)}
        cost["judge"] = next(iter(found["spent"])) if isinstance(case.threat, hf.L0) else "pyautoattack"
        return {"broken": found["broken"], **cost, "forwards": forwards, "backwards": backwards}
    report = hf.audit(model, images, labels, case.threat, effort=who)
    print(report, flush=True)
    return {
        "broken": report.broken.nonzero()[:, 0].tolist(),
        "seconds": report.seconds,
        "of the processor": time.process_time() - began,
        "forwards": sum(stage.forwards for stage in report.stages),
        "backwards": sum(stage.backwards for stage in report.stages),
        "settled": report.settled,
        "doubts": [doubt.name for doubt in report.doubts],
    }


def table(rows: list[tuple[Case, str, dict[str, Any]]]) -> str:
    """Return a line for each network and judge, as Markdown; the processor's own seconds leave other work out."""
    heads = ("network", "images", "judge", "robust accuracy", "seconds", "x less", "processor, s", "x less", "forwards",
             "backwards", "broken by both", "ours only", "theirs only", "doubts")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    judge = {case.name: found for case, who, found in rows if who == "judge"}
    for case, who, found in rows:
        known_judge = judge.get(case.name, {"broken": []})
        theirs, ours = set(known_judge["broken"]), set(found["broken"])
        count = case.count
        cells = [
            case.name,
            f"{count}",
            found.get("judge", who),
            f"{100 * (1 - len(ours) / count):.1f} %{'' if found.get('settled', True) else ' (not settled)'}",
        ]
        for kind in ("seconds", "of the processor"):
            known = kind in found and kind in known_judge
            cells += [f"{found[kind]:.0f}", f"{known_judge[kind] / found[kind]:.1f}"] if known else ["", ""]
        cells += [f"{found[kind] / count:.0f}" for kind in ("forwards", "backwards")]
        apart = (ours & theirs, ours - theirs, theirs - ours) if case.name in judge else ()
        cells += [str(len(part)) for part in apart] or [""] * 3
        lines.append(f"| {' | '.join([*cells, ', '.join(found.get('doubts', []))])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
