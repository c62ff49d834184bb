"""Paper 003: "Using single-step adversarial training to defend iterative adversarial examples" (SIM-Adv).

Tables 1, 3, 4 and 5 and Figures 1 to 4, 7 and 9; Figures 5, 6 and 8 are drawings. The networks stand in sim_runs.py.
The paper prints no epochs, no batch and no weight of the clean images; what was chosen stands in docs/papers/sim.md.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.analysis import BallSaturation, Embedding, PathSaturation
from holdfast.attacks import FGSM, Attack
from holdfast.attacks.presets import bim, madry
from holdfast.experiments import Audit, Figure, Paper, Study, Table
from holdfast.experiments.table import Column, Published
from holdfast.methods import ATDA, SIMAdv
from holdfast.methods.method import Method
from holdfast.papers.sim_runs import (
    CIFAR,
    FASHION,
    MNIST,
    NAMES,
    RIVALS,
    THREATS,
    M,
    by_rate,
    by_reach,
    by_weight,
    scales,
)
from holdfast.threats import Linf
from holdfast.training.run import Run


def columns(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the paper's four ways to look at a network, and one that it does not have."""
    return {"clean": None} | attacks(threat, n1, steps) | {"audit": Audit(threat, limit=500)}


def attacks(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the three attacks."""
    return {"FGSM": FGSM(threat)} | by_steps(threat, n1, steps)


def by_steps(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the two attacks that take many steps."""
    return {f"BIM({n1},{steps})": bim(threat, n1, steps), f"Madry({n1},{steps})": madry(threat, n1, steps)}


Line = tuple[float, ...]
"""The numbers that the paper prints in one row."""


def printed(rows: Iterable[str], columns: Iterable[str], *numbers: Line) -> Published:
    """Return the numbers that a table prints, which gives no deviations; the last columns may be ours alone."""
    columns = tuple(columns)
    return {
        row: {column: (value, math.nan) for column, value in zip(columns, values, strict=False)}
        for row, values in zip(rows, numbers, strict=True)
    }


ON_MNIST, ON_FASHION = columns(THREATS["mnist"], 10, 40), columns(THREATS["fashion-mnist"], 10, 40)
ON_CIFAR = columns(THREATS["cifar10"], 4, 20)
SECONDS = (
    "the paper's total seconds on MNIST, FMNIST and CIFAR-10: Free-Adv 234.75, 308.5, 25923.5; ATDA 319.56, 422.4, "
    "33011.6; SIM-Adv 293.22, 391.2, 26692.4; BIM-Adv 866.76, 1159.2, 111372.6"
)


LONG = bim(THREATS["mnist"], 30, 30)


def maps(row: str, attack: Attack) -> dict[str, Study]:
    """Return the only study of a panel of Figures 1 and 9: a row of Table 3 and its images under an attack."""
    return {"": Study(MNIST[row], Embedding(attack))}


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
            x=x, y="rho", y_range=(0, 1.05), scales=scales(data),
        )
        for number, (title, x, analysis) in kinds.items()
    }  # fmt: skip


def dial(title: str, data: str, rows: Mapping[str, Run], columns: Mapping[str, Column], axis: str) -> Table:
    """Return a figure of accuracies against what the rows are called."""
    return Table(title, rows, columns, shown_as="sweep", axis=axis, scales=scales(data))


def two_rates(title: str, data: str, row: str, method: Method, budget: tuple[int, int], *lines: Line) -> Table:
    """Return Table 1 or 4 on one data set: a method at the paper's two learning rates, e^-3 first."""
    rows, columns = by_rate(data, row, method), attacks(THREATS[data], *budget)
    return Table(
        f"{title} at two learning rates, {NAMES[data]}", rows, columns, published=printed(rows, columns, *lines),
        varied=("optimizer",), scales=scales(data, own_rates=True),
    )  # fmt: skip


def against(data: str, eps: str, rows: Mapping[str, Run], columns: Mapping[str, Column], *lines: Line) -> Table:
    """Return Table 3 on one data set: the six methods under every attack."""
    return Table(
        f"Table 3: {NAMES[data]}, L-inf {eps}", rows, columns, published=printed(rows, columns, *lines),
        varied=ROWS_DIFFER, scales=scales(data),
    )  # fmt: skip


def weights(data: str, eps: str) -> Table:
    """Return Figure 2 on one data set."""
    title = f"Figure 2: weight of the domain losses, {NAMES[data]}, L-inf {eps}"
    return dial(title, data, by_weight(data), by_steps(THREATS[data], 30, 30), "lambda")


def reaches(data: str, eps: str) -> Table:
    """Return Figure 7 on one data set."""
    title = f"Figure 7: Madry(n1,30)-Adv from over- to under-perturbation, {NAMES[data]}, L-inf {eps}"
    return dial(title, data, by_reach(data), by_steps(THREATS[data], 10, 40), "n1")


PAPER = Paper(
    name="sim",
    title="Using single-step adversarial training to defend iterative adversarial examples",
    scales=scales("mnist"),
    tables={
        "1": two_rates("Table 1: ATDA", "mnist", "ATDA", ATDA(FGSM(THREATS["mnist"])), (30, 30),
                       (96.37, 73.97, 54.75), (98.03, 19.91, 1.23)),
        "1-fmnist": two_rates("Table 1: ATDA", "fashion-mnist", "ATDA", ATDA(FGSM(THREATS["fashion-mnist"])), (30, 30),
                              (83.59, 49.41, 32.31), (84.03, 33.82, 11.37)),
        "3": against(
            "mnist", "0.3", MNIST, ON_MNIST,
            (98.84, 4.46, 0.94, 0.87), (98.72, 95.94, 1.56, 0.70), (97.55, 96.37, 42.34, 33.14),
            (99.00, 96.57, 92.55, 92.89), (99.01, 96.56, 93.83, 94.15), (99.01, 97.03, 94.04, 94.29),
        ),
        "3-rivals": Table(
            "Table 3, our rows: other single-step methods on MNIST, L-inf 0.3", RIVALS, ON_MNIST, varied=ROWS_DIFFER,
        ),
        "3-fmnist": against(
            "fashion-mnist", "0.2", FASHION, ON_FASHION,
            (91.64, 6.07, 5.96, 4.55), (89.45, 85.69, 7.39, 3.99), (84.64, 83.59, 25.81, 23.79),
            (88.96, 79.78, 65.93, 66.88), (86.19, 78.34, 69.71, 70.58), (87.14, 75.82, 64.59, 69.72),
        ),
        "3-cifar10": replace(
            against(
                "cifar10", "8/255", CIFAR, ON_CIFAR,
                (91.74, 17.89, 5.56, 4.82), (73.96, 48.96, 38.68, 38.63), (89.11, 65.77, 8.02, 8.32),
                (77.21, 54.12, 43.69, 43.78), (80.83, 56.32, 46.77, 46.80), (81.08, 56.08, 46.73, 46.74),
            ),
            notes=("the paper does not print n1 and n2 of its CIFAR-10 rows: here SIM(4,20), and 10 steps of eps / 4",),
        ),
        "4": two_rates("Table 4: SIM-Adv", "mnist", "SIM(10,20)-Adv", SIMAdv(THREATS["mnist"], n1=10), (10, 40),
                       (93.87, 89.93, 90.11), (96.57, 92.55, 92.89)),
        "4-fmnist": two_rates(
            "Table 4: SIM-Adv", "fashion-mnist", "SIM(10,20)-Adv", SIMAdv(THREATS["fashion-mnist"], n1=10), (10, 40),
            (74.68, 61.07, 61.46), (79.78, 65.93, 66.88),
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
        "2": weights("mnist", "0.3"),
        "2-fmnist": weights("fashion-mnist", "0.2"),
        "3": rho("mnist")["3"],
        "3-fmnist": rho("fashion-mnist")["3"],
        "3-cifar10": rho("cifar10")["3"],
        "4": rho("mnist")["4"],
        "4-fmnist": rho("fashion-mnist")["4"],
        "4-cifar10": rho("cifar10")["4"],
        "7": reaches("mnist", "0.3"),
        "7-fmnist": reaches("fashion-mnist", "0.2"),
        "9": Figure(
            "Figure 9: the map of Free-Adv, MNIST",
            {
                "Free-Adv, FGSM": maps(f"Free-Adv (m={M})", FGSM(THREATS["mnist"])),
                "Free-Adv, BIM(30,30)": maps(f"Free-Adv (m={M})", LONG),
            },
        ),
    },
)  # fmt: skip
