"""The figures of paper 003 that are no accuracies: where attacked images lie, and how soon attacks are strong."""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.analysis import BallSaturation, Embedding, PathSaturation
from holdfast.attacks import FGSM, Attack
from holdfast.attacks.presets import bim
from holdfast.experiments import Figure, Study
from holdfast.papers.sim_runs import CIFAR, FASHION, MNIST, THREATS, M, by_count, scales, with_all_steps
from holdfast.training.run import Run

LONG = bim(THREATS["mnist"], 30, 30)
STEPS = tuple(range(31))
"""Figures 3 and 4 have a point at each."""
OURS_BIM = "the paper does not say which BIM-Adv it looks at; SIM-Adv is our addition"


def maps(run: Run, attack: Attack) -> dict[str, Study]:
    """Return the only study of a panel of Figures 1 and 9: a network and its images under an attack."""
    return {"": Study(run, Embedding(attack))}


def looked_at(data: str) -> Mapping[str, Run]:
    """Return the networks of Figures 3 and 4 on one data set: undefended, BIM-Adv and SIM-Adv."""
    table = {"mnist": MNIST, "fashion-mnist": FASHION, "cifar10": CIFAR}[data]
    methods = ("Vanilla", "SIM(4", "BIM(4") if data == "cifar10" else ("Vanilla", "SIM", "BIM")
    return {row: run for row, run in table.items() if row.startswith(methods)}


def by_count_of_steps(data: str) -> Figure:
    """Return Figure 3 of one data set."""
    analysis = BallSaturation(THREATS[data], STEPS)
    return Figure(
        f"Figure 3: rho under BIM(n, n), {data}",
        {"": {row: Study(run, analysis) for row, run in looked_at(data).items()}},
        x="n", y="rho", y_range=(0, 1.05), notes=(OURS_BIM,), scales=scales(data),
    )  # fmt: skip


def along_the_way(data: str) -> Figure:
    """Return Figure 4 of one data set, with the paper's zoom around step n1."""
    n1 = 7 if data == "cifar10" else 10
    whole = PathSaturation(THREATS[data], n1, STEPS)
    panels = {"": whole, f"around step {n1}": replace(whole, shown=tuple(range(n1 - 5, n1 + 6)))}
    return Figure(
        f"Figure 4: rho along the way of BIM({n1}, 30), {data}",
        {
            panel: {row: Study(run, analysis) for row, run in looked_at(data).items()}
            for panel, analysis in panels.items()
        },
        x="step", y="rho", notes=(OURS_BIM,), scales=scales(data),
    )  # fmt: skip


FIGURES = {
    "1": Figure(
        "Figure 1: clean and attacked images of one class among the others, MNIST, t-SNE of the penultimate layer",
        {
            "Vanilla, BIM(30,30)": maps(MNIST["Vanilla"], LONG),
            "ATDA, BIM(30,30)": maps(MNIST["ATDA"], LONG),
            "ATDA, FGSM": maps(MNIST["ATDA"], FGSM(THREATS["mnist"])),
            "BIM(30,30)-Adv, BIM(30,30)": maps(by_count()["BIM(30,30)-Adv"], LONG),
            "SIM(10,20)-Adv, BIM(30,30)": maps(MNIST["SIM(10,20)-Adv"], LONG),
        },
        scales=with_all_steps(scales("mnist")),
    ),
    "3": by_count_of_steps("mnist"),
    "3-fmnist": by_count_of_steps("fashion-mnist"),
    "3-cifar10": by_count_of_steps("cifar10"),
    "4": along_the_way("mnist"),
    "4-fmnist": along_the_way("fashion-mnist"),
    "4-cifar10": along_the_way("cifar10"),
    "9": Figure(
        "Figure 9: the map of Free-Adv, MNIST",
        {
            "Free-Adv, FGSM": maps(MNIST[f"Free-Adv (m={M})"], FGSM(THREATS["mnist"])),
            "Free-Adv, BIM(30,30)": maps(MNIST[f"Free-Adv (m={M})"], LONG),
        },
    ),
}
