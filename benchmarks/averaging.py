"""What averaging the weights (EMA) and moving them (AWP) are worth to adversarial training, at equal epochs.

    python benchmarks/averaging.py --data folder:cifar10.zip --epochs 10 --seeds 0 1 2 --folder runs/averaging
    python benchmarks/averaging.py --data folder:cifar10.zip --limit 2000 --time 50     # only: seconds a step of each

Each row is trained with each seed and audited by `hf.audit`; all of it is kept in --folder, and the same command goes
on where it was interrupted, or prints the table again. A robust accuracy is an upper bound.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import torch
from side_by_side import machine

import holdfast as hf
from holdfast.attacks import PGD
from holdfast.cli.progress import Teller
from holdfast.methods import AT, AWP
from holdfast.training.schedules import Schedule

WARM = 5
"""Steps that --time leaves out."""


def main() -> None:
    """Train, audit and print; or time."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    runs = {name: run for name, run in rows(chosen).items() if name in chosen.rows}
    if chosen.time:
        for name, run in runs.items():
            print(f"{name:12} {seconds_a_step(run, chosen.time):.3f} CPU seconds a step", flush=True)
    else:
        found = {name: [figures(name, run, seed, chosen) for seed in chosen.seeds] for name, run in runs.items()}
        print(table(found))
    print("; ".join(machine("cpu").values()))


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder:PATH of CIFAR-10, or any other name")
    parser.add_argument("--network", default="wrn-10-1")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--limit", type=int, help="training images (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--rows", nargs="+", default=("AT", "AT+EMA", "AT+AWP", "AT+AWP+EMA"))
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--schedule", choices=("steps", "cosine"), default="steps")
    parser.add_argument("--eps", type=float, default=8 / 255)
    parser.add_argument("--steps", type=int, default=7, help="of PGD in training (default: 7)")
    parser.add_argument("--decay", type=float, default=0.995, help="of the EMA (default: 0.995)")
    parser.add_argument("--gamma", type=float, default=0.01, help="of AWP (default: 0.01)")
    parser.add_argument("--images", type=int, default=1000, help="test images audited (default: 1000)")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/averaging"))
    parser.add_argument(
        "--time", type=int, default=0, metavar="N", help="time N steps of each row, and do nothing else"
    )
    return parser.parse_args()


def rows(chosen: argparse.Namespace) -> dict[str, hf.Run]:
    """Return the run of each row, which differ in nothing else than what the row's name says."""
    at = AT(PGD(hf.Linf(chosen.eps), steps=chosen.steps, step_size=chosen.eps / 4))
    schedule: Schedule = (
        hf.Cosine() if chosen.schedule == "cosine" else hf.Steps((chosen.epochs / 2, chosen.epochs * 3 / 4))
    )
    plain = hf.Run(
        at, chosen.network, chosen.data, chosen.epochs, chosen.batch, hf.SGD(chosen.lr), schedule, hf.CropFlip(),
        limit=chosen.limit,
    )  # fmt: skip
    moved = replace(plain, method=AWP(at, chosen.gamma))
    average = hf.EMA(chosen.decay)
    return {
        "AT": plain,
        "AT+EMA": replace(plain, average=average),
        "AT+AWP": moved,
        "AT+AWP+EMA": replace(moved, average=average),
    }


def figures(name: str, run: hf.Run, seed: int, chosen: argparse.Namespace) -> dict[str, float]:
    """Return the accuracies of a row's network with a seed, trained and audited unless both are in the folder."""
    folder: Path = chosen.folder / f"{name}-seed-{seed}"
    audited = folder / f"audit-{chosen.effort}-{chosen.images}"
    kept = audited / "figures.json"
    with Teller() as tell:
        tell(0, 1, str(folder))
        model = hf.train(replace(run, seed=seed), folder, tell=tell)
        if not kept.exists():
            data = hf.load(chosen.data, "test", limit=chosen.images)
            images = data.take(torch.arange(len(data)))
            report = hf.audit(model, images, data.labels, hf.Linf(chosen.eps), chosen.effort, folder=audited, tell=tell)
            kept.write_text(json.dumps({"clean": report.clean_accuracy, "robust": report.robust_accuracy}))
    told: dict[str, float] = json.loads(kept.read_text())
    spent: dict[str, float] = json.loads((folder / "timing.json").read_text())
    return told | {"seconds": spent["train_seconds"]}


def table(found: Mapping[str, list[dict[str, float]]]) -> str:
    """Return the means over the seeds with their deviations, and how much longer a row trains than the first."""
    first = next(iter(found.values()))
    lines = [f"{'':12} {'clean':>14} {'holds at most':>16} {'time':>6}"]
    for name, seeds in found.items():
        clean, robust = (spread([each[key] for each in seeds]) for key in ("clean", "robust"))
        longer = sum(each["seconds"] for each in seeds) / sum(each["seconds"] for each in first)
        lines.append(f"{name:12} {clean:>14} {robust:>16} {longer:>5.2f}x")
    return "\n".join([*lines, f"mean (deviation) of {len(first)} seeds, %"])


def spread(shares: list[float]) -> str:
    """Return the mean of shares and their standard deviation in percent."""
    return f"{mean(shares):.2%} ({100 * stdev(shares):.2f})" if len(shares) > 1 else f"{shares[0]:.2%}"


def seconds_a_step(run: hf.Run, steps: int) -> float:
    """Return the processor's seconds a step of training."""
    times: dict[int, float] = {}

    def note(done: int, total: int, words: str) -> None:
        if not words:
            times[done] = time.process_time()

    with tempfile.TemporaryDirectory() as folder:
        hf.train(replace(run, epochs=None, steps=WARM + steps, schedule=hf.Constant()), folder, tell=note)
    return (times[WARM + steps] - times[WARM]) / steps


if __name__ == "__main__":
    main()
