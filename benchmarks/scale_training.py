"""What training for an epoch on many pictures of 3x224x224 holds in memory, each count in a process of its own.

    python benchmarks/scale_training.py 1000 10000 50000      # as holdfast does it: above 512 MiB from disk
    python benchmarks/scale_training.py 10000 --workers 2     # decoded by two processes
    python benchmarks/scale_training.py 1000 10000 --kept all # all in memory, as it was before; none: none of them

The pictures are made up, JPEGs in ten class folders, and the network is tiny. `resident` is the most that the process
held, libraries included; `above` is what training added; `a worker` is the most that one of its processes held, what
it shares with the first included.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import holdfast as hf
from holdfast.data import on_demand
from holdfast.training.optimizers import SGD

SIDE, CLASSES, BATCH = 224, 10, 50
KEPT = {"usual": on_demand.MOST_IN_MEMORY, "all": sys.maxsize, "none": 0}
HEADS = ("pictures", "on disk, MB", "resident, MB", "above, MB", "a worker, MB", "seconds", "loss")


def main() -> None:
    """Print a line for every count, or measure one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--kept", choices=KEPT, default="usual")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(asked.counts[0], asked.workers, asked.kept)))
        return
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    for count in asked.counts:
        options = [f"--workers={asked.workers}", f"--kept={asked.kept}", "--one"]
        command = [sys.executable, __file__, str(count), *options]
        told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        print(f"| {count:,} | {' | '.join(told)} |", flush=True)


def measured(count: int, workers: int, kept: str) -> list[str]:
    """Return what an epoch on so many pictures held, and how long it took."""
    torch.set_num_threads(1)
    on_demand.MOST_IN_MEMORY = KEPT[kept]
    with tempfile.TemporaryDirectory() as folder:
        taken = written(Path(folder) / "pictures", count)
        own = f"{Path(__file__).resolve()}:network"
        run = hf.Run(hf.methods.Standard(), own, f"folder:{folder}/pictures", 1, BATCH, SGD(lr=0.01))
        before, began = peak(resource.RUSAGE_SELF), time.monotonic()
        hf.train(run, Path(folder) / "run", workers=workers)
        seconds = time.monotonic() - began
        loss = json.loads((Path(folder) / "run" / "metrics.jsonl").read_text())["clean"]
    most, of_worker = peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN)
    numbers = [f"{each:,.0f}" for each in (taken / 1e6, most, most - before, of_worker, seconds)]
    return [*numbers[:3], numbers[3] if workers else "", numbers[4], f"{loss:.6f}"]


def written(folder: Path, count: int) -> int:
    """Write made-up pictures, each of 196 coloured squares, and return how many bytes they have."""
    size = 0
    for number in range(count):
        place = folder / "train" / str(number % CLASSES) / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        squares = np.random.default_rng(number).integers(0, 256, (14, 14, 3), np.uint8)
        Image.fromarray(squares.repeat(16, 0).repeat(16, 1)).save(place, quality=75)
        size += place.stat().st_size
    return size


def network(**options: object) -> nn.Sequential:
    """Return a tiny network on images of 224x224, whose first layer looks at squares of 16x16."""
    layers = (nn.Conv2d(3, 8, 16, stride=16), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, CLASSES))
    return nn.Sequential(*layers)


def peak(whose: int) -> float:
    """Return the most that this process, or one that it waited for, has held, in MB."""
    return resource.getrusage(whose).ru_maxrss / 1000


if __name__ == "__main__":
    main()
