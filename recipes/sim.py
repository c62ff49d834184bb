"""Paper 003: "Using single-step adversarial training to defend iterative adversarial examples" (SIM-Adv).

Tables 1, 3, 4 and 5 and Figures 1 to 4, 7 and 9; Figures 5, 6 and 8 are drawings. The paper prints no epochs, no batch
and no weight of the clean images; what was chosen stands in docs/papers/sim.md.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from holdfast.analysis import Analysis, BallSaturation, Embedding, PathSaturation
from holdfast.attacks import FGSM, RFGSM, Attack
from holdfast.attacks.presets import bim, fast, madry
from holdfast.data import CropFlip
from holdfast.methods import AT, ATDA, NFGSM, FreeAT, GradAlign, Guarded, MixedAT, SIMAdv, Standard
from holdfast.methods.method import Method
from holdfast.optimization import Adam
from holdfast.report import Figure, Paper, Scale, Study, Table
from holdfast.report.table import Published
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


def rivals(threat: Linf) -> dict[str, Method]:
    """Return other methods of a single step: those the paper speaks of, and those that came after."""
    return {
        "FGSM-Adv": MixedAT(FGSM(threat)),
        "R+FGSM-Adv": MixedAT(RFGSM(threat)),
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


def columns(threat: Linf, n1: int, steps: int) -> dict[str, Attack | None]:
    """Return the paper's four ways to look at a network."""
    return {
        "clean": None,
        "FGSM": FGSM(threat),
        f"BIM({n1},{steps})": bim(threat, n1, steps),
        f"Madry({n1},{steps})": madry(threat, n1, steps),
    }


def printed(rows: Mapping[str, Run], columns: Mapping[str, Attack | None], *numbers: tuple[float, ...]) -> Published:
    """Return the numbers that a table prints, which gives no deviations."""
    return {
        row: {column: (value, math.nan) for column, value in zip(columns, values, strict=True)}
        for row, values in zip(rows, numbers, strict=True)
    }


MNIST = rows("mnist", methods(THREATS["mnist"], 10, 20, 30))
FASHION = rows("fashion-mnist", methods(THREATS["fashion-mnist"], 10, 20, 30))
CIFAR = rows("cifar10", methods(THREATS["cifar10"], 4, 20, 10))
RIVALS = rows("mnist", rivals(THREATS["mnist"]))
ON_MNIST, ON_FASHION = columns(THREATS["mnist"], 10, 40), columns(THREATS["fashion-mnist"], 10, 40)
ON_CIFAR = columns(THREATS["cifar10"], 4, 20)

LONG = bim(THREATS["mnist"], 30, 30)


def maps(row: str, attack: Attack | None) -> dict[str, Study]:
    """Return the only study of a panel of Figures 1 and 9: a row of Table 3 and its images under an attack."""
    assert attack is not None, "clean images are on every map"
    return {"": Study(MNIST[row], Embedding(attack))}


def saturation(analysis: Analysis) -> dict[str, Study]:
    """Return the studies of Figures 3 and 4: the network that is not defended, one by many steps, and ours."""
    return {row: Study(MNIST[row], analysis) for row in ("Vanilla", "BIM(10,30)-Adv", "SIM(10,20)-Adv")}


SMALL = Scale(model="digits-net", epochs=1, limit=16, test_limit=4, seeds=(0,), train_steps=1, test_steps=1, batch=16,
              data="made-up:1x28x28")  # fmt: skip
SCALES = {
    "short": Scale(share=1 / 3, limit=3_000, batch=50, test_limit=1_000, seeds=(0, 1), train_steps=7, optimizer=QUICK),
    "smoke": SMALL,
    "full": Scale(),
}
CIFAR_SCALES = SCALES | {"smoke": replace(SMALL, data="made-up:3x32x32")}

PAPER = Paper(
    name="sim",
    title="Using single-step adversarial training to defend iterative adversarial examples",
    scales=SCALES,
    tables={
        "3": Table(
            "Table 3: MNIST, L-inf 0.3",
            MNIST,
            ON_MNIST,
            published=printed(
                MNIST, ON_MNIST,
                (98.84, 4.46, 0.94, 0.87), (98.72, 95.94, 1.56, 0.70), (97.55, 96.37, 42.34, 33.14),
                (99.00, 96.57, 92.55, 92.89), (99.01, 96.56, 93.83, 94.15), (99.01, 97.03, 94.04, 94.29),
            ),
            varied=("epochs", "optimizer"),
        ),
        "3-rivals": Table(
            "Table 3, our rows: other single-step methods on MNIST, L-inf 0.3", RIVALS, ON_MNIST,
            varied=("epochs", "optimizer"),
        ),
    },
    figures={
        "1": Figure(
            "Figure 1: clean and attacked images of one class among the others, MNIST, t-SNE of the penultimate layer",
            {
                "Vanilla, BIM(30,30)": maps("Vanilla", LONG),
                "ATDA, BIM(30,30)": maps("ATDA", LONG),
                "ATDA, FGSM": maps("ATDA", ON_MNIST["FGSM"]),
                "BIM(10,30)-Adv, BIM(30,30)": maps("BIM(10,30)-Adv", LONG),
                "SIM(10,20)-Adv, BIM(30,30)": maps("SIM(10,20)-Adv", LONG),
            },
            notes=("the paper trains BIM(30,30)-Adv for its panel d",),
        ),
        "3": Figure(
            "Figure 3: rho under BIM(n, n), MNIST, L-inf 0.3",
            {"": saturation(BallSaturation(THREATS["mnist"]))},
            x="n", y="rho", y_range=(0, 1.05),
        ),
        "4": Figure(
            "Figure 4: rho along the way of BIM(10, 30), MNIST, L-inf 0.3",
            {"": saturation(PathSaturation(THREATS["mnist"]))},
            x="step", y="rho", y_range=(0, 1.05),
        ),
        "9": Figure(
            "Figure 9: the map of Free-Adv, MNIST",
            {
                "Free-Adv, FGSM": maps(f"Free-Adv (m={M})", ON_MNIST["FGSM"]),
                "Free-Adv, BIM(30,30)": maps(f"Free-Adv (m={M})", LONG),
            },
        ),
    },
)  # fmt: skip
