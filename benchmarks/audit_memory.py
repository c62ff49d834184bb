"""What an audit holds in memory, by the number of images: they themselves and their best points, but no activations.

    python benchmarks/audit_memory.py    # made-up images, a fresh network, each count in a process of its own

The peak is what Linux saw from the audit's beginning on; what the process held then is taken away.
"""

import re
import subprocess
import sys
from pathlib import Path

import torch

import holdfast as hf
from holdfast.models import build

COUNTS = (500, 1000, 2000, 5000, 10_000)
SHAPE = (3, 32, 32)


def main() -> None:
    """Print the peak for every count, or measure one."""
    if len(sys.argv) > 1:
        print(*measured(int(sys.argv[1])))
        return
    print("| images | all images, MB | peak above the start, MB | per image, kB |\n|---|---|---|---|")
    for count in COUNTS:
        told = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=True)
        size, peak = map(float, told.stdout.split())
        print(f"| {count:,} | {size:.0f} | {peak:.0f} | {1000 * peak / count:.0f} |", flush=True)


def measured(count: int) -> tuple[float, float]:
    """Return the size of the images and the peak of an audit, above what was held before it, in MB."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network, images = build("small-cnn", SHAPE, 10).eval(), torch.rand(count, *SHAPE)
    with torch.no_grad():
        labels = torch.cat([network(some).argmax(1) for some in images.split(50)])
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    before = held("VmRSS")
    hf.audit(network, images, labels, hf.Linf(0.1), effort="fast")
    return images.numel() * 4 / 1e6, held("VmHWM") - before


def held(what: str) -> float:
    """Return what this process holds (VmRSS), or the most it has held (VmHWM), in MB."""
    found = re.search(rf"{what}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found, f"no {what} in /proc/self/status: this benchmark needs Linux"
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
