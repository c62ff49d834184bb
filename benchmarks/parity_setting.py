"""What the parts of the parity page share: the network, the images, what was measured before, and the table."""

import hashlib
import json
import math
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from parity_oracles import versions
from side_by_side import processor
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import PGD, Attack
from holdfast.methods import AT
from holdfast.storage.fingerprint import fingerprint, name_of_tensors
from holdfast.storage.signed import write_text
from holdfast.training.schedules import Triangle

METHOD = AT(PGD(hf.Linf(0.15), 10))
TRAINING = hf.Run(METHOD, "benchmarks/parity_network.py:narrow", "digits", epochs=40, schedule=Triangle())
"""Trained to its end: stopped early, at a constant rate, the last bit of a rounding decides how good the network is."""
THREATS = (hf.Linf(52 / 256), hf.L2(0.65), hf.L1(1.2))
"""Where about half of the images stand on it."""


@dataclass(frozen=True)
class Setting:
    """A network at rest, the images that it gets right, and how much is measured."""

    network: nn.Module
    images: Tensor
    labels: Tensor
    size: int
    """How many images these were chosen from."""
    seeds: int
    ours: str
    """A name for our code: it changes with it, so that nothing is told of code that is no more."""

    @staticmethod
    def prepare(folder: Path, size: int, seeds: int) -> "Setting":
        """Train the network if it is not there, and choose the images."""
        network = hf.train(TRAINING, folder / "network")
        test = hf.load("digits", "test", limit=size)
        with torch.no_grad():
            right = network(test.images).argmax(1) == test.labels
        return Setting(network, test.images[right], test.labels[right], len(test), seeds, f"holdfast-{sources()}")

    @torch.no_grad()
    def wrong(self, x: Tensor) -> Tensor:
        """Say which images the network gets wrong."""
        answers: Tensor = self.network(x).argmax(1)
        return answers != self.labels

    def fingerprint(self) -> str:
        """Return a name for all that the others' results depend on."""
        name = name_of_tensors(dict(self.network.state_dict()), str(self.size))
        words = json.dumps([name, versions(), torch.__version__])
        return hashlib.sha256(words.encode()).hexdigest()[:12]

    def words(self) -> str:
        """Return what the numbers belong to, in one paragraph."""
        found = ", ".join(f"{name} {number}" for name, number in versions().items())
        accuracy = 100 * len(self.images) / self.size
        trained = f"PGD-10, {ball(METHOD.attack.threat)}, the rate a triangle up to {TRAINING.optimizer.lr}"
        return (
            f"digits-net of width 12 after {TRAINING.epochs} epochs of adversarial training ({trained}) on the "
            f"embedded digits, seed {TRAINING.seed}: {accuracy:.2f} % right of the first {self.size} test images. "
            f"Attacked are the {len(self.images)} that it gets right, in one batch. Seeds 0 to {self.seeds - 1}.\n\n"
            f"torch {torch.__version__}, {found}; Python {platform.python_version()}; {processor()}, "
            f"{torch.get_num_threads()} thread."
        )


def ball(threat: hf.Threat) -> str:
    """Return the norm and the radius, if there is one, as a table shows them."""
    name = type(threat).__name__
    return name if threat.eps == math.inf else f"{name} {threat.eps:.3g}"


def name_of(attack: Attack) -> str:
    """Return a short name for an attack with all its fields."""
    return f"{type(attack).__name__}-{fingerprint(attack)[:10]}"


def sources() -> str:
    """Return a fingerprint of the code that our attacks are made of."""
    root = Path(hf.__file__).parent
    files = [
        *sorted((root / "attacks").glob("*.py")),
        *sorted((root / "threats").glob("*.py")),
        *(root / f"{name}.py" for name in ("objectives", "rng")),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


class Kept:
    """What was measured before, by name: a JSON file that is written anew after each measurement."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self.path = path
        self.values: dict[str, Any] = json.loads(path.read_text()) if path.exists() and not fresh else {}

    def get(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what is known under the name; measure it if nothing is."""
        if name not in self.values:
            began = time.process_time()
            self.values[name] = work()
            write_text(self.path, json.dumps(self.values) + "\n")
            print(f"{time.process_time() - began:7.1f} s  {name}", file=sys.stderr, flush=True)
        return self.values[name]


def markdown(rows: list[dict[str, str]]) -> str:
    """Return a table with aligned columns; the keys of the first row are its head."""
    if not rows:
        return ""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
