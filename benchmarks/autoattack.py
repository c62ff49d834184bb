"""AutoAttack beside the authors' own algorithms (pyautoattack) on the same images: what stands, passes, time.

    python benchmarks/autoattack.py WEIGHTS.safetensors --who ours judge   # the first 1,000 test images
    python benchmarks/autoattack.py WEIGHTS.safetensors --slices 10        # ours on 10,000, a thousand at a time

What is done is kept in --folder; an interrupted run goes on from there (the judge begins its slice again). Processes
with different --first share the work; the last lines add up every slice that is done.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch
from judge import judged
from side_by_side import machine
from torch import Tensor, nn

import holdfast as hf
from holdfast.storage.signed import write_text
from holdfast.training.networks import network

SIZE = 1000
"""Images in a slice."""


def main() -> None:
    """Attack slice after slice and print what is known so far."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    test = hf.load(chosen.data, "test", root=chosen.data_root)
    model = network(chosen.weights, chosen.model, test.shape, len(test.classes)).to(chosen.device)
    for number in range(chosen.first, chosen.first + chosen.slices):
        place = torch.arange(number * SIZE, min((number + 1) * SIZE, len(test)))
        images, labels = test.take(place).to(chosen.device), test.labels[place].to(chosen.device)
        for who in chosen.who:
            path = chosen.folder / f"{who}-{number}.json"
            if not path.exists():
                write_text(path, json.dumps(CONTENDERS[who](model, images, labels, chosen), indent=1) + "\n")
    print(f"{table(chosen.folder, 'ours')}\n\n{table(chosen.folder, 'judge')}\n")
    print("; ".join(machine(chosen.device).values()))


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="a .safetensors file")
    parser.add_argument("--model", default="small-cnn")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--eps", type=float, default=0.3)
    parser.add_argument("--norm", choices=("Linf", "L2", "L1"), default="Linf")
    parser.add_argument("--first", type=int, default=0, help="the first slice")
    parser.add_argument("--slices", type=int, default=1)
    parser.add_argument("--who", nargs="+", choices=("ours", "judge"), default=["ours"], help="judge: pyautoattack")
    parser.add_argument("--folder", type=Path, default=Path("runs/autoattack"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def ours(model: nn.Module, images: Tensor, labels: Tensor, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the accuracy after each attack, the passes and the seconds of ours."""
    threat = {"Linf": hf.Linf, "L2": hf.L2, "L1": hf.L1}[chosen.norm](chosen.eps)
    say = lambda done, total, words: print(words, flush=True) if words else None  # noqa: E731
    report = hf.audit(model, images, labels, threat, effort="autoattack", folder=chosen.folder / "state", tell=say)
    print(report, flush=True)
    after = {stage.name: report.accuracy_after(number) for number, stage in enumerate(report.stages)}
    spent = {stage.name: (stage.forwards, stage.backwards, stage.seconds) for stage in report.stages}
    broken = report.broken.nonzero()[:, 0].tolist()
    return {"images": len(images), "after": after, "spent": spent, "seconds": report.seconds, "broken": broken}


def table(folder: Path, who: str) -> str:
    """Return a line for each slice that is done and one for all of them, as Markdown; passes without the doubts'."""
    done = {int(path.stem.split("-")[1]): json.loads(path.read_text()) for path in folder.glob(f"{who}-*.json")}
    if not done:
        return f"{who}: nothing yet"
    names = [name for name in next(iter(done.values()))["after"] if name != "checks"]
    lines = [f"| {who} | images | {' | '.join(names)} | forwards an image | backwards an image | minutes |"]
    lines.append("|---" * (len(names) + 5) + "|")
    total = {name: sum(found["after"][name] * found["images"] for found in done.values()) for name in names}
    count = sum(found["images"] for found in done.values())
    rows = [(f"slice {number}", found["images"], found["after"], [found]) for number, found in sorted(done.items())]
    rows.append(("all", count, {name: total[name] / count for name in names}, list(done.values())))
    for word, images, after, parts in rows:
        forwards, backwards = (
            sum(p["spent"][name][i] for p in parts for name in names if name in p["spent"]) / images for i in (0, 1)
        )
        minutes = sum(part["seconds"] for part in parts) / 60
        cells = [f"{100 * after[name]:.2f}" for name in names]
        lines.append(f"| {word} | {images} | {' | '.join(cells)} | {forwards:.0f} | {backwards:.0f} | {minutes:.1f} |")
    return "\n".join(lines)


def theirs(model: nn.Module, images: Tensor, labels: Tensor, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the same of pyautoattack."""
    return judged(model, images, labels, chosen.norm, chosen.eps)


CONTENDERS = {"ours": ours, "judge": theirs}


if __name__ == "__main__":
    main()
