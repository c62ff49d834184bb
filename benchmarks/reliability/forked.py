"""Work in a forked process that has loaded everything already, so that a trial takes about a second, and may die."""

import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from holdfast.devices import conditions
from holdfast.errors import HoldfastError

LIMIT = 600.0
"""Seconds after which a process hangs."""


def begin(work: Callable[[], object], told: Path) -> int:
    """Do some work in a process of its own, which writes what came of it to `told`, and return its number."""
    told.unlink(missing_ok=True)
    process = os.fork()
    if process:
        return process
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        told.write_text(json.dumps(_outcome(work)))
        os._exit(0)
    finally:
        os._exit(1)


def _outcome(work: Callable[[], object]) -> tuple[str, str]:
    try:
        return "done", str(work())
    except HoldfastError as error:
        return "refused", str(error)
    except BaseException:
        return "traceback", traceback.format_exc()


def ended(process: int, seconds: float) -> int | None:
    """Return the status of a process that ends within some seconds, else kill it and return None."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number, status = os.waitpid(process, os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def outcome(work: Callable[[], object], told: Path) -> tuple[str, str]:
    """Return how some work ended, and what it said."""
    status = ended(begin(work, told), LIMIT)
    if status is None:
        return "hang", f"it ran for more than {LIMIT:.0f} s"
    if not told.exists() or status:
        return "died", f"status {status}"
    kind, words = json.loads(told.read_text())
    return kind, words


def show(kind: str, columns: list[str], counts: dict[str, Counter[str]]) -> str:
    """Return a Markdown table with a row for each kind of trial, and their sum."""
    rows = counts | {"all": sum(counts.values(), Counter())}
    lines = [f"| {kind} | trials | {' | '.join(columns)} |", f"|{'---|' * (len(columns) + 2)}"]
    for name, count in rows.items():
        lines.append(f"| {name} | {count.total()} | {' | '.join(str(count[column]) for column in columns)} |")
    return "\n".join(lines)


def write(name: str, counts: dict[str, Counter[str]], columns: list[str], seed: int) -> None:
    """Write the counts to docs/reliability/NAME.json."""
    rows = {row: {column: count[column] for column in columns} for row, count in counts.items()}
    said = {"command": f"python benchmarks/reliability/{name}.py", "seed": seed, "counts": rows}
    said["conditions"] = conditions("cpu")
    path = Path("docs") / "reliability" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=1) + "\n")


def ready() -> None:
    """Load what any trial needs, so that no child has to."""
    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1).step()
    for module in ("matplotlib.pyplot", "holdfast.cli"):
        __import__(module)
    with torch.autocast("cpu", torch.bfloat16):
        torch.nn.Conv2d(1, 2, 3)(torch.rand(1, 1, 8, 8))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
