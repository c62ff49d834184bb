"""Detectors of attacked images on the digits, against an attack that ignores them and one that must get past them too.

    python benchmarks/detectors.py

A small network is trained on the digits. Of the test images 250 set the thresholds and 100 others are attacked. The
detectors are fitted to 500 training images and, where they need attacked ones, to 500 others.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from holdfast import Linf, Run, load, train
from holdfast.attacks import APGD, PGD
from holdfast.defences import (
    BitDepth,
    DetectionReport,
    Detector,
    EraseAndRestore,
    FeatureSqueezing,
    MagNetDetector,
    alarm_at,
    detection_report,
)
from holdfast.methods import Standard

SEED, EPOCHS, STEPS, FALSE_ALARMS = 0, 10, 50, 0.05
RADII = (0.1, 0.2)
DETECTORS: dict[str, Detector] = {
    "`FeatureSqueezing()`": FeatureSqueezing(),
    "`FeatureSqueezing((BitDepth(1),))`": FeatureSqueezing((BitDepth(1),)),
    "`MagNetDetector()`": MagNetDetector(),
    "`EraseAndRestore()`": EraseAndRestore(),
}
HEADER = (
    "radius", "detector", "false alarms", "accuracy, attack ignores it", "AUROC", "detected at 1 %", "at 5 %",
    "accuracy, attack knows it",
)  # fmt: skip


def main() -> None:
    """Train, fit, attack and print."""
    torch.set_num_threads(1)
    test, clean, classifier = load("digits", "test"), load("digits", "train"), trained()
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(SEED))
    held_out, attacked = test.subset(chosen[:250]), test.subset(chosen[250:350])
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for radius in RADII:
        threat = Linf(radius)
        shown = PGD(threat, steps=20)(classifier, clean.images[500:1000], clean.labels[500:1000])
        for name, detector in DETECTORS.items():
            alarm = alarm_at(detector.fitted(classifier, clean.images[:500], shown), held_out.images, FALSE_ALARMS)
            attack = APGD(threat, steps=STEPS)
            report = detection_report(classifier, alarm, attacked.images, attacked.labels, attack)
            print(row(radius, name, report), flush=True)
    print(f"torch {torch.__version__}, {time.process_time():.0f} s of CPU", file=sys.stderr)


def trained() -> nn.Module:
    """Return a small network that is trained on the digits."""
    with TemporaryDirectory() as folder:
        return train(Run(Standard(), data="digits", model="digits-net", epochs=EPOCHS, seed=SEED), Path(folder))


def row(radius: float, name: str, report: DetectionReport) -> str:
    """Return the line of a detector."""
    naive = report.naive
    shares = [f"{100 * share:.0f} %" for share in (report.false_alarms, naive.robust_accuracy)]
    rates = [f"{100 * share:.0f} %" for share in (*naive.detection, report.adaptive.robust_accuracy)]
    return f"| {' | '.join((f'{radius}', name, *shares, f'{naive.auroc:.2f}', *rates))} |"


if __name__ == "__main__":
    main()
