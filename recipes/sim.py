"""Paper 003: "Using single-step adversarial training to defend iterative adversarial examples" (SIM-Adv).

Tables 1, 3, 4 and 5 and Figures 1 to 4, 7 and 9; Figures 5, 6 and 8 are drawings. The paper prints no epochs, no batch
and no weight of the clean images; what was chosen stands in docs/papers/sim.md.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.analysis import BallSaturation, Embedding, PathSaturation
from holdfast.attacks import FGSM, RFGSM, Attack
from holdfast.attacks.presets import bim, fast, madry
from holdfast.data import CropFlip
from holdfast.methods import AT, ATDA, EAT, NFGSM, FreeAT, GradAlign, Guarded, MixedAT, SIMAdv, Standard
from holdfast.methods.method import Method
from holdfast.optimization import Adam
from holdfast.report import Audit, Figure, Paper, Scale, Study, Table
from holdfast.report.table import Column, Published
from holdfast.run import Run
from holdfast.threats import Linf

SLOW, QUICK = Adam(lr=1e-4), Adam(lr=1e-3)
"""The paper's e^-4, with which its SIM numbers were made, and its e^-3, those of ATDA (its Tables 1, 3 and 4)."""
THREATS = {"mnist": Linf(0.3), "fashion-mnist": Linf(0.2), "cifar10": Linf(8 / 255)}
EPOCHS = {"mnist": 60, "fashion-mnist": 80, "cifar10": 60}
"""Not printed; from the ratio of the times in Table 5, and three or four whole cycles of SIM(10, 20)."""
BASES = {
    data: Run(Standard(), model="lenet", data=data, epochs=EPOCHS[data], batch=128, optimizer=SLOW)
    for data in ("mnist", "fashion-mnist")
} | {
    "cifar10": Run(
        Standard(), model="cifar-resnet-20", data="cifar10", epochs=EPOCHS["cifar10"], batch=128, optimizer=SLOW,
        augment=CropFlip(),
    )
}  # fmt: skip
M = 10
"""Replays of Free-Adv, which so trains a tenth of the epochs."""


def methods(threat: Linf, n1: int, sim: int, steps: int) -> dict[str, Method]:
    """Return the six methods of Table 3, by row."""
    return {
        "Vanilla": Standard(),
        f"Free-Adv (m={M})": FreeAT(threat, m=M),
        "ATDA": ATDA(FGSM(threat)),
        f"SIM({n1},{sim})-Adv": SIMAdv(threat, n1=n1, n2=sim),
        f"BIM({n1},{steps})-Adv": MixedAT(bim(threat, n1, steps)),
        f"Madry({n1},{steps})-Adv": MixedAT(madry(threat, n1, steps)),
    }


def rivals(threat: Linf, base: Run) -> dict[str, Method]:
    """Return other methods of a single step: those the paper speaks of, and those that came after."""
    sources = (replace(base, seed=100), replace(base, model="small-cnn", seed=101))
    return {
        "FGSM-Adv": MixedAT(FGSM(threat)),
        "R+FGSM-Adv": MixedAT(RFGSM(threat)),
        "EAT": EAT(sources, FGSM(threat)),
        "Fast-AT": AT(fast(threat)),
        "Fast-AT, guarded": Guarded(AT(fast(threat)), probe=madry(threat, 4, 10)),
        "N-FGSM": NFGSM(threat),
        "GradAlign": GradAlign(FGSM(threat)),
    }


def rows(data: str, chosen: Mapping[str, Method]) -> dict[str, Run]:
    """Return a run for each method: Free-Adv with a tenth of the epochs, ATDA with its own rate."""
    base = BASES[data]
    return {
        row: replace(
            base,
            method=method,
            epochs=EPOCHS[data] // M if isinstance(method, FreeAT) else EPOCHS[data],
            optimizer=QUICK if isinstance(method, ATDA) else base.optimizer,
        )
        for row, method in chosen.items()
    }


def columns(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the paper's four ways to look at a network, and one that it does not have."""
    return {"clean": None} | attacks(threat, n1, steps) | {"audit": Audit(threat, limit=500)}


def attacks(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the three attacks."""
    return {"FGSM": FGSM(threat)} | by_steps(threat, n1, steps)


def by_steps(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the two attacks that take many steps."""
    return {f"BIM({n1},{steps})": bim(threat, n1, steps), f"Madry({n1},{steps})": madry(threat, n1, steps)}


def printed(rows: Iterable[str], columns: Iterable[str], *numbers: tuple[float, ...]) -> Published:
    """Return the numbers that a table prints, which gives no deviations; the last columns may be ours alone."""
    columns = tuple(columns)
    return {
        row: {column: (value, math.nan) for column, value in zip(columns, values, strict=False)}
        for row, values in zip(rows, numbers, strict=True)
    }


MNIST = rows("mnist", methods(THREATS["mnist"], 10, 20, 30))
FASHION = rows("fashion-mnist", methods(THREATS["fashion-mnist"], 10, 20, 30))
CIFAR = rows("cifar10", methods(THREATS["cifar10"], 4, 20, 10))
RIVALS = rows("mnist", rivals(THREATS["mnist"], BASES["mnist"]))
ON_MNIST, ON_FASHION = columns(THREATS["mnist"], 10, 40), columns(THREATS["fashion-mnist"], 10, 40)
ON_CIFAR = columns(THREATS["cifar10"], 4, 20)
SECONDS = (
    "the paper's total seconds on MNIST, FMNIST and CIFAR-10: Free-Adv 234.75, 308.5, 25923.5; ATDA 319.56, 422.4, "
    "33011.6; SIM-Adv 293.22, 391.2, 26692.4; BIM-Adv 866.76, 1159.2, 111372.6"
)


def by_rate(data: str, name: str, method: Method) -> dict[str, Run]:
    """Return one method at the paper's two learning rates."""
    return {
        f"{name}, lr {rate.lr:.0e}".replace("e-0", "e-"): replace(BASES[data], method=method, optimizer=rate)
        for rate in (QUICK, SLOW)
    }


def by_weight(data: str) -> dict[str, Run]:
    """Return BIM(30,30)-Adv with the domain losses of ATDA at several weights (Figure 2); at 0 it has none."""
    attack = bim(THREATS[data], 30, 30)
    weights = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    return {f"{weight:g}": replace(BASES[data], method=ATDA(attack, weight)) for weight in weights}


def by_reach(data: str) -> dict[str, Run]:
    """Return Madry(n1,30)-Adv from over-perturbation to under-perturbation (Figure 7)."""
    return {f"{n1}": replace(BASES[data], method=MixedAT(madry(THREATS[data], n1, 30))) for n1 in (10, 15, 20, 25, 30)}


LONG = bim(THREATS["mnist"], 30, 30)


def maps(row: str, attack: Attack) -> dict[str, Study]:
    """Return the only study of a panel of Figures 1 and 9: a row of Table 3 and its images under an attack."""
    return {"": Study(MNIST[row], Embedding(attack))}


SMALL = Scale(model="digits-net", epochs=1, limit=16, test_limit=4, seeds=(0,), train_steps=1, test_steps=1, batch=16,
              data="made-up:1x8x8", effort="fast")  # fmt: skip
SHORT = Scale(share=1 / 3, limit=3_000, batch=50, test_limit=1_000, seeds=(0, 1), train_steps=7)
SCALES = {"short": replace(SHORT, optimizer=QUICK), "smoke": SMALL, "full": Scale()}
RATE_SCALES = SCALES | {"short": SHORT}
CIFAR_SCALES = SCALES | {"smoke": replace(SMALL, data="made-up:3x8x8")}
ROWS_DIFFER = ("epochs", "optimizer")


def rho(data: str) -> Mapping[str, Figure]:
    """Return Figures 3 and 4 of one data set."""
    n1, threat = 7 if data == "cifar10" else 10, THREATS[data]
    table = {"mnist": MNIST, "fashion-mnist": FASHION, "cifar10": CIFAR}[data]
    shown = {row: run for row, run in table.items() if row.startswith(("Vanilla", "BIM", "SIM"))}
    kinds = {
        "3": (f"rho under BIM(n, n), {data}", "n", BallSaturation(threat)),
        "4": (f"rho along the way of BIM({n1}, 30), {data}", "step", PathSaturation(threat, n1)),
    }
    return {
        number: Figure(
            f"Figure {number}: {title}",
            {"": {row: Study(run, analysis) for row, run in shown.items()}},
            x=x, y="rho", y_range=(0, 1.05), scales=CIFAR_SCALES if data == "cifar10" else SCALES,
        )
        for number, (title, x, analysis) in kinds.items()
    }  # fmt: skip


def dial(title: str, rows: Mapping[str, Run], columns: Mapping[str, Column], axis: str) -> Table:
    """Return a figure of accuracies against what the rows are called."""
    return Table(title, rows, columns, shown_as="sweep", axis=axis)


PAPER = Paper(
    name="sim",
    title="Using single-step adversarial training to defend iterative adversarial examples",
    scales=SCALES,
    tables={
        "1": Table(
            "Table 1: ATDA at two learning rates, MNIST", by_rate("mnist", "ATDA", ATDA(FGSM(THREATS["mnist"]))),
            attacks(THREATS["mnist"], 30, 30),
            published=printed(
                ("ATDA, lr 1e-3", "ATDA, lr 1e-4"), attacks(THREATS["mnist"], 30, 30),
                (96.37, 73.97, 54.75), (98.03, 19.91, 1.23),
            ),
            varied=("optimizer",), scales=RATE_SCALES,
        ),
        "1-fmnist": Table(
            "Table 1: ATDA at two learning rates, Fashion-MNIST",
            by_rate("fashion-mnist", "ATDA", ATDA(FGSM(THREATS["fashion-mnist"]))),
            attacks(THREATS["fashion-mnist"], 30, 30),
            published=printed(
                ("ATDA, lr 1e-3", "ATDA, lr 1e-4"), attacks(THREATS["fashion-mnist"], 30, 30),
                (83.59, 49.41, 32.31), (84.03, 33.82, 11.37),
            ),
            varied=("optimizer",), scales=RATE_SCALES,
        ),
        "3": Table(
            "Table 3: MNIST, L-inf 0.3", MNIST, ON_MNIST,
            published=printed(
                MNIST, ON_MNIST,
                (98.84, 4.46, 0.94, 0.87), (98.72, 95.94, 1.56, 0.70), (97.55, 96.37, 42.34, 33.14),
                (99.00, 96.57, 92.55, 92.89), (99.01, 96.56, 93.83, 94.15), (99.01, 97.03, 94.04, 94.29),
            ),
            varied=ROWS_DIFFER,
        ),
        "3-rivals": Table(
            "Table 3, our rows: other single-step methods on MNIST, L-inf 0.3", RIVALS, ON_MNIST, varied=ROWS_DIFFER,
        ),
        "3-fmnist": Table(
            "Table 3: Fashion-MNIST, L-inf 0.2", FASHION, ON_FASHION,
            published=printed(
                FASHION, ON_FASHION,
                (91.64, 6.07, 5.96, 4.55), (89.45, 85.69, 7.39, 3.99), (84.64, 83.59, 25.81, 23.79),
                (88.96, 79.78, 65.93, 66.88), (86.19, 78.34, 69.71, 70.58), (87.14, 75.82, 64.59, 69.72),
            ),
            varied=ROWS_DIFFER,
        ),
        "3-cifar10": Table(
            "Table 3: CIFAR-10, L-inf 8/255", CIFAR, ON_CIFAR,
            published=printed(
                CIFAR, ON_CIFAR,
                (91.74, 17.89, 5.56, 4.82), (73.96, 48.96, 38.68, 38.63), (89.11, 65.77, 8.02, 8.32),
                (77.21, 54.12, 43.69, 43.78), (80.83, 56.32, 46.77, 46.80), (81.08, 56.08, 46.73, 46.74),
            ),
            varied=ROWS_DIFFER, scales=CIFAR_SCALES,
            notes=("the paper does not print n1 and n2 of its CIFAR-10 rows: here SIM(4,20), and 10 steps of eps / 4",),
        ),
        "4": Table(
            "Table 4: SIM-Adv at two learning rates, MNIST",
            by_rate("mnist", "SIM(10,20)-Adv", SIMAdv(THREATS["mnist"])), attacks(THREATS["mnist"], 10, 40),
            published=printed(
                ("SIM(10,20)-Adv, lr 1e-3", "SIM(10,20)-Adv, lr 1e-4"), attacks(THREATS["mnist"], 10, 40),
                (93.87, 89.93, 90.11), (96.57, 92.55, 92.89),
            ),
            varied=("optimizer",), scales=RATE_SCALES,
        ),
        "4-fmnist": Table(
            "Table 4: SIM-Adv at two learning rates, Fashion-MNIST",
            by_rate("fashion-mnist", "SIM(10,20)-Adv", SIMAdv(THREATS["fashion-mnist"])),
            attacks(THREATS["fashion-mnist"], 10, 40),
            published=printed(
                ("SIM(10,20)-Adv, lr 1e-3", "SIM(10,20)-Adv, lr 1e-4"), attacks(THREATS["fashion-mnist"], 10, 40),
                (74.68, 61.07, 61.46), (79.78, 65.93, 66.88),
            ),
            varied=("optimizer",), scales=RATE_SCALES,
        ),
        "5": Table(
            "Table 5: training time, MNIST (the note below), and clean accuracy", MNIST, {"clean": None},
            varied=ROWS_DIFFER, notes=(SECONDS,),
        ),
    },
    figures={
        "1": Figure(
            "Figure 1: clean and attacked images of one class among the others, MNIST, t-SNE of the penultimate layer",
            {
                "Vanilla, BIM(30,30)": maps("Vanilla", LONG),
                "ATDA, BIM(30,30)": maps("ATDA", LONG),
                "ATDA, FGSM": maps("ATDA", FGSM(THREATS["mnist"])),
                "BIM(10,30)-Adv, BIM(30,30)": maps("BIM(10,30)-Adv", LONG),
                "SIM(10,20)-Adv, BIM(30,30)": maps("SIM(10,20)-Adv", LONG),
            },
            notes=("the paper trains BIM(30,30)-Adv for the fourth panel",),
        ),
        "2": dial(
            "Figure 2: weight of the domain losses, MNIST, L-inf 0.3", by_weight("mnist"),
            by_steps(THREATS["mnist"], 30, 30), "lambda",
        ),
        "2-fmnist": dial(
            "Figure 2: weight of the domain losses, Fashion-MNIST, L-inf 0.2", by_weight("fashion-mnist"),
            by_steps(THREATS["fashion-mnist"], 30, 30),
            "lambda",
        ),
        "3": rho("mnist")["3"],
        "3-fmnist": rho("fashion-mnist")["3"],
        "3-cifar10": rho("cifar10")["3"],
        "4": rho("mnist")["4"],
        "4-fmnist": rho("fashion-mnist")["4"],
        "4-cifar10": rho("cifar10")["4"],
        "7": dial(
            "Figure 7: Madry(n1,30)-Adv from over- to under-perturbation, MNIST, L-inf 0.3", by_reach("mnist"),
            by_steps(THREATS["mnist"], 10, 40), "n1",
        ),
        "7-fmnist": dial(
            "Figure 7: Madry(n1,30)-Adv from over- to under-perturbation, Fashion-MNIST, L-inf 0.2",
            by_reach("fashion-mnist"),
            by_steps(THREATS["fashion-mnist"], 10, 40), "n1",
        ),
        "9": Figure(
            "Figure 9: the map of Free-Adv, MNIST",
            {
                "Free-Adv, FGSM": maps(f"Free-Adv (m={M})", FGSM(THREATS["mnist"])),
                "Free-Adv, BIM(30,30)": maps(f"Free-Adv (m={M})", LONG),
            },
        ),
    },
)  # fmt: skip
