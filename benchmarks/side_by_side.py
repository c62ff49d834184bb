"""What both benchmarks share: contenders take turns in one process, each compared with the floor of its own round."""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch

from holdfast import __version__

Row = dict[str, Any]
"""What was measured of one contender."""
FLOOR = "floor"
"""The contender that does what all must do and nothing else."""
COLUMNS = {
    "network": "",
    "batch": "",
    "contender": "",
    "images/s": ".1f",
    "x floor": ".3f",
    "lowest": ".3f",
    "highest": ".3f",
    "change / eps": ".7f",
    "memory, MB": ".1f",
}
"""What a row may hold, in the order of the table, and how it is written."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work, and what its last result is looked at for."""

    name: str
    work: Callable[[], Any]
    look: Callable[[Any], Row] = lambda _: {}


def options(what: str) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender is timed (default: 5)")
    parser.add_argument("--batch", type=int, help="images a batch (default: by network and device)")
    parser.add_argument("--threads", type=int, help="threads of the CPU (default: torch's choice)")
    parser.add_argument("--networks", nargs="+", choices=("resnet-18", "lenet"), default=("resnet-18", "lenet"))
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    return chosen


def measure(contenders: list[Contender], images: int, rounds: int, device: str) -> list[Row]:
    """Time the contenders in turns, after a warm-up, and return a row for each."""
    seconds: dict[str, list[float]] = {one.name: [] for one in contenders}
    results = {one.name: one.work() for one in contenders}
    for _ in range(rounds):
        for one in contenders:
            wait(device)
            began = time.perf_counter()
            results[one.name] = one.work()
            wait(device)
            seconds[one.name].append(time.perf_counter() - began)
    rows = []
    for one in contenders:
        ratios = [mine / least for mine, least in zip(seconds[one.name], seconds[FLOOR], strict=True)]
        row = {"contender": one.name, "images/s": images / median(seconds[one.name]), "seconds": seconds[one.name]}
        row |= {"x floor": median(ratios), "lowest": min(ratios), "highest": max(ratios)}
        rows.append(row | one.look(results[one.name]))
    return rows


def wait(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def report(title: str, rows: list[Row], chosen: argparse.Namespace) -> None:
    """Print the rows as one table (in Markdown), or as one JSON object."""
    where = machine(chosen.device)
    if chosen.json:
        print(json.dumps({"benchmark": title, "rounds": chosen.rounds, "machine": where, "rows": rows}))
        return
    print(f"{title}. Medians of {chosen.rounds} rounds in turns.\n{'; '.join(where.values())}.\n")
    names = [name for name in COLUMNS if any(name in row for row in rows)]
    lines = [names, *([format(row[name], COLUMNS[name]) if name in row else "" for name in names] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")


def machine(device: str) -> dict[str, str]:
    """Say where and with what the times were taken."""
    bfloat16 = "in hardware" if bfloat16_in_hardware(device) else "not in hardware, so no faster than float32"
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else processor(),
        "threads": f"threads {torch.get_num_threads()}, cores {os.cpu_count()}",
        "bfloat16": f"bfloat16 {bfloat16}",
        "python": f"Python {platform.python_version()}",
        **{name: f"{name} {version(name)}" for name in ("torch", "torchattacks", "foolbox")},
        "holdfast": f"holdfast {__version__}",
    }


def processor() -> str:
    """Return the name of the CPU, where the system tells."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def bfloat16_in_hardware(device: str) -> bool:
    """Say whether the device multiplies bfloat16 by itself; for CPUs torch's answers are private and may be missing."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)
