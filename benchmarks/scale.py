"""What an audit of many images of 3x224x224 holds in memory and how long it takes, each count in a process of its own.

    python benchmarks/scale.py 1000                      # effort fast
    python benchmarks/scale.py 1000 10000 --moves short  # FGSM on all images, then two steps of PGD from where it ended
    python benchmarks/scale.py 1000 --in-memory          # the images as one float32 tensor, not as a file of bytes

The images are made up, the network is small and knows 1,000 classes, its own answers are the labels. `resident` is the
most that the process held, libraries included; `above` is what the audit added. `disk` is what the points took.
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
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import FGSM, PGD
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.engine_state import STANDS
from holdfast.auditing.points import PointsOnDisk
from holdfast.data import StoredImages
from holdfast.metrics import share_of
from holdfast.types import Images

SHAPE, CLASSES, BATCH = (3, 224, 224), 1000, 50
EPS = {"fast": 8 / 255, "short": 0.2 / 255}
HEADS = ("images", "resident, MB", "above, MB", "device, MB", "disk, GB", "seconds", "passes an image", "left")


def main() -> None:
    """Print a line for every count, or measure one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--moves", choices=EPS, default="fast")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(asked.counts[0], asked)))
        return
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    options = [each for each in sys.argv[1:] if not each.isdigit()]
    for count in asked.counts:
        command = [sys.executable, __file__, str(count), "--one", *options]
        told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        print(f"| {count:,} | {' | '.join(told)} |", flush=True)


def measured(count: int, asked: argparse.Namespace) -> list[str]:
    """Return what one audit held, and how long it took."""
    torch.set_num_threads(1)
    model, device = network().to(asked.device), torch.device(asked.device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        labels = written(path, model, count, device)
        stored = StoredImages.file(path, device)
        images = stored[:] if asked.in_memory else stored
        before, began = peak(), time.monotonic()
        passes, left, points = audited(asked.moves, model, images, labels)
        held = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else 0.0
        seconds, disk = time.monotonic() - began, points.file.used() / 1e9 if isinstance(points, PointsOnDisk) else 0.0
    numbers = (peak(), peak() - before, held)
    return [*(f"{each:,.0f}" for each in numbers), f"{disk:.1f}", f"{seconds:,.0f}", f"{passes:.1f}", f"{left:.2%}"]


def audited(
    moves: str, model: nn.Module, images: Images | StoredImages, labels: Tensor
) -> tuple[float, float, Images | PointsOnDisk | None]:
    """Return the passes an image, the share of images that are left, and the points."""
    threat = hf.Linf(EPS[moves])
    if moves == "fast":
        report = hf.audit(model, images, labels, threat, effort="fast", batch=BATCH)
        return sum(report.passes), report.robust_accuracy, report.best
    two = {"step": Move(FGSM(threat)), "climb": Move(PGD(threat, steps=2, random_start=False), warm=True)}
    found, _ = run_moves(Subject(model, model, images, labels, batch=BATCH), two)
    return float(found.passes.sum()) / len(labels), share_of(found.broken_by == STANDS), found.best


def network() -> nn.Sequential:
    """Return a small network on images of 224x224, whose first layer looks at squares of 8x8."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 8, stride=8),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, CLASSES),
    ).eval()


def written(path: Path, model: nn.Module, count: int, device: torch.device) -> Tensor:
    """Write made-up images as bytes, and return their labels: the network's own answers."""
    labels = []
    with path.open("wb") as file:
        header = {"descr": np.dtype(np.uint8).str, "fortran_order": False, "shape": (count, *SHAPE)}
        np.lib.format.write_array_header_1_0(file, header)
        for rows in torch.arange(count).split(BATCH):
            coarse = np.random.default_rng(int(rows[0])).integers(0, 256, (len(rows), 3, 14, 14), np.uint8)
            pixels = torch.from_numpy(coarse.repeat(16, 2).repeat(16, 3))
            file.write(pixels.numpy().tobytes())
            with torch.no_grad():
                labels.append(model(pixels.to(device).float() / 255).argmax(1))
    return torch.cat(labels)


def peak() -> float:
    """Return the most that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
