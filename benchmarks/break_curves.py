"""What short attacks leave standing and at what cost: the curves that the short climbs of audits were chosen from.

    python benchmarks/break_curves.py    # a linear network and a small robust one, both on digits

It takes some minutes.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from parity_setting import THREATS, TRAINING, ball
from side_by_side import machine
from torch import nn

import holdfast as hf
from holdfast.attacks import APGD, APGDT, ODI, Attack, MultiTargeted
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.engine_state import STANDS, Progress
from holdfast.objectives import cross_entropy

ON = {"linear": (hf.Linf(36 / 256), hf.L2(0.5), hf.L1(0.8)), "AT": THREATS}
"""Where some images of each network stand, and some do not."""


def main() -> None:
    """Print a table for each network and ball."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/parity"), help="where the network is kept")
    parser.add_argument("--images", type=int, default=400)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    test = hf.load("digits", "test")
    images, labels = test.take(torch.arange(chosen.images)), test.labels[: chosen.images]
    for words, model in {"linear": linear(), "AT": hf.train(TRAINING, chosen.folder / "network")}.items():
        for threat in ON[words]:
            print(f"\n{words}, {ball(threat)}\n")
            print("| attack | stand | forwards | backwards | mean margin |\n|---|---|---|---|---|")
            for name, progress in looks(Subject(model, model, images, labels), threat):
                stand = 100 * float((progress.broken_by == STANDS).float().mean())
                cost = [sum(spent[kind] for spent in progress.spent) / len(images) for kind in (0, 1)]
                mean = float(progress.margin.clamp_max(0).mean())
                print(f"| {name} | {stand:.2f} % | {cost[0]:.0f} | {cost[1]:.0f} | {mean:.3f} |", flush=True)
    print("\n" + "; ".join(machine("cpu").values()))


def linear() -> nn.Module:
    """Return a linear network after 300 steps of Adam on all training images: its wrong classes are all far apart."""
    torch.manual_seed(0)
    data, model = hf.load("digits", "train"), nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    images, adam = data.take(torch.arange(len(data))), torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(300):
        adam.zero_grad()
        nn.functional.cross_entropy(model(images), data.labels).backward()
        adam.step()
    return model.eval()


def looks(subject: Subject, threat: hf.Threat) -> Iterator[tuple[str, Progress]]:
    """Yield each attack alone."""
    alone: dict[str, Attack] = {
        **{f"ODI, {steps}": ODI(threat, steps) for steps in (5, 10, 20, 40)},
        **{f"ODI on cross-entropy, {steps}": ODI(threat, steps, objective=cross_entropy) for steps in (10, 20)},
        **{f"MultiTargeted, 9 x {steps}": MultiTargeted(threat, steps) for steps in (1, 3, 5, 10, 20)},
        **{f"APGD-CE, {steps}": APGD(threat, steps) for steps in (10, 20, 100)},
        **{f"APGD-T, 9 x {steps}": APGDT(threat, steps) for steps in (5, 10, 20, 100)},
    }
    for name, attack in alone.items():
        yield name, run_moves(subject, {name: Move(attack)})[0]


if __name__ == "__main__":
    main()
