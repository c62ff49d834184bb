"""What bfloat16 in the first climbs costs an audit: the images that `standard` breaks in one precision alone.

    python benchmarks/precision.py                                      # five networks trained on digits
    python benchmarks/precision.py --data-root DATA --public MODELS     # and public ones on MNIST

Networks on digits are judged on all 1,797 images, others on the first thousand test images. The numbers do not depend
on whether the processor multiplies bfloat16 itself; the time does.
"""

from dataclasses import replace
from pathlib import Path

import torch
from audit import arguments
from audited_networks import Case, cases
from side_by_side import machine
from torch import Tensor

import holdfast as hf

COUNT = 1000
CHOSEN = ("digits AT", "digits TRADES", "digits one-step", "digits smoothed", "digits Standard", "MNIST Wong-Kolter")


def main() -> None:
    """Audit each network in both precisions, and print a line for each."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    print("| network | images | float32 leaves | bfloat16 leaves | broken in float32 alone | in bfloat16 alone |")
    print("|---" * 6 + "|")
    for case in cases(chosen):
        if case.name in (chosen.only or CHOSEN):
            images, labels = pictures(replace(case, count=COUNT), chosen.data_root)
            model = case.model().eval()
            reports = [
                hf.audit(model, images, labels, case.threat, "standard", precision=precision)
                for precision in ("float32", "bfloat16")
            ]
            one, other = (report.broken for report in reports)
            left = [f"{100 * report.robust_accuracy:.2f} %" for report in reports]
            apart = [int((one & ~other).sum()), int((other & ~one).sum())]
            print(f"| {case.name} | {len(images)} | {' | '.join(map(str, [*left, *apart]))} |", flush=True)
    print("; ".join(machine(chosen.device).values()))


def pictures(case: Case, root: Path | None) -> tuple[Tensor, Tensor]:
    """Return a thousand test images or more: of digits, which has fewer, the training images too."""
    parts = ("test", "train") if case.data == "digits" else ("test",)
    sets = [hf.load(case.data, part, root=root) for part in parts]
    images = torch.cat([each.take(torch.arange(len(each))) for each in sets])
    labels = torch.cat([each.labels for each in sets])
    count = len(images) if case.data == "digits" else case.count
    return images[:count], labels[:count]


if __name__ == "__main__":
    main()
