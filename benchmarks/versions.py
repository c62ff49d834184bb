"""Processor seconds of a training, of attacks and of an audit on digits, to compare two versions of holdfast.

    for round in 1 2 3; do for tree in BEFORE AFTER; do PYTHONPATH=$tree/src python benchmarks/versions.py; done; done

One line of JSON a call; versions take turns, as the machine's other work moves what is measured.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import holdfast as hf
from holdfast.attacks import APGD, DDN, FABT, FMN, PGD, Square

ATTACKS = {
    "PGD-20": PGD(hf.Linf(0.1), steps=20),
    "APGD-30": APGD(hf.Linf(0.1), steps=30),
    "FABT-10": FABT(hf.Linf(0.1), steps=10),
    "Square-300": Square(hf.Linf(0.1), queries=300),
    "DDN": DDN(hf.L2(float("inf"))),
    "FMN-40": FMN(hf.L2(float("inf")), steps=40),
}


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    test = hf.load("digits", "test")
    images, labels = test.take(torch.arange(200)), test.labels[:200]
    run = hf.Run(hf.methods.AT(PGD(hf.Linf(0.15), steps=5)), epochs=2, batch=64, optimizer=hf.SGD(lr=0.05))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        found["train AT, 2 epochs"] = seconds(lambda: hf.train(run, Path(folder) / "run"))
        model = hf.train(run, Path(folder) / "run")
    for name, attack in ATTACKS.items():
        found[name] = seconds(lambda attack=attack: attack(model, images, labels))  # type: ignore[misc]
    found["audit fast, 200 images"] = seconds(lambda: hf.audit(model, images, labels, hf.Linf(0.1), "fast"))
    print(json.dumps(found))


def seconds(work: Callable[[], object]) -> float:
    """Return the processor's seconds that a piece of work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
