"""The demo: four ways to train a small network on handwritten digits, under five attacks of one threat."""

from dataclasses import replace

from holdfast.attacks import CW, FGSM, PGD, DeepFool
from holdfast.experiments import Paper, Scale, Table
from holdfast.methods import AT, CL, TRADES, Standard
from holdfast.objectives import distance, divergence
from holdfast.threats import Linf
from holdfast.training.optimizers import SGD
from holdfast.training.run import Run
from holdfast.training.schedules import Triangle

THREAT = Linf(0.15)
INNER = PGD(THREAT, steps=5)
BASE = Run(Standard(), epochs=16, batch=64, optimizer=SGD(lr=0.05), schedule=Triangle())

ROWS = {
    "Standard": BASE,
    "AT-PGD": replace(BASE, method=AT(INNER)),
    "TRADES-PGD": replace(BASE, method=TRADES(replace(INNER, random_start=False, objective=divergence), beta=3.0)),
    "CL-PGD": replace(BASE, method=CL(INNER, beta=0.5, metric=distance)),
}

PAPER = Paper(
    name="demo",
    title="Four networks on handwritten digits",
    scales={
        "full": Scale(),
        "short": Scale(epochs=10, test_limit=200),
        "smoke": Scale(epochs=1, limit=128, test_limit=32, train_steps=2, test_steps=2),
    },
    tables={
        "1": Table(
            title="Digits, L-inf 0.15",
            rows=ROWS,
            columns={
                "clean": None,
                "FGSM": FGSM(THREAT),
                "PGD-20": PGD(THREAT, steps=20),
                "CW-20": CW(THREAT, steps=20),
                "DeepFool": DeepFool(THREAT),
            },
            seeds=(0,),
            worst=("clean", "FGSM", "PGD-20", "CW-20", "DeepFool"),
        ),
    },
    figures={
        "eps": Table(
            title="Accuracy against the size of the ball, PGD-20",
            rows=ROWS,
            columns={f"{eps:g}": PGD(Linf(eps), steps=20) for eps in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)},
            seeds=(0,),
            test_limit=250,
            shown_as="curve",
            axis="L-inf eps",
        ),
        "steps": Table(
            title="Accuracy against the steps of PGD, eps 0.15",
            rows=ROWS,
            columns={str(steps): PGD(THREAT, steps=steps) for steps in (1, 2, 5, 10, 20, 50)},
            seeds=(0,),
            test_limit=250,
            shown_as="curve",
            axis="gradient steps",
        ),
    },
    pictures=PGD(THREAT, steps=20),
)
