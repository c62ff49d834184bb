"""The networks of paper 003 (sim.py): their methods, how they are trained, and what a smaller machine makes of them."""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import FGSM, RFGSM
from holdfast.attacks.presets import bim, fast, madry
from holdfast.data import CropFlip
from holdfast.experiments import Scale
from holdfast.methods import AT, ATDA, EAT, NFGSM, FreeAT, GradAlign, Guarded, MixedAT, SIMAdv, Standard
from holdfast.methods.method import Method
from holdfast.threats import Linf
from holdfast.training.optimizers import Adam
from holdfast.training.run import Run

SLOW, QUICK = Adam(lr=1e-4), Adam(lr=1e-3)
"""The paper's e^-4, with which its SIM numbers were made, and its e^-3, those of ATDA (its Tables 1, 3 and 4)."""
NAMES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
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


MNIST = rows("mnist", methods(THREATS["mnist"], 10, 20, 30))
FASHION = rows("fashion-mnist", methods(THREATS["fashion-mnist"], 10, 20, 30))
CIFAR = rows("cifar10", methods(THREATS["cifar10"], 4, 20, 10))
RIVALS = rows("mnist", rivals(THREATS["mnist"], BASES["mnist"]))


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


SMALL = Scale(model="digits-net", epochs=1, limit=16, test_limit=4, seeds=(0,), train_steps=1, test_steps=1, batch=16,
              data="made-up:1x8x8", effort="fast")  # fmt: skip
SHORT = Scale(limit=3_000, batch=50, test_limit=1_000, seeds=(0, 1), train_steps=7)


def scales(data: str, own_rates: bool = False) -> dict[str, Scale]:
    """Return the scales of a table on one data set; `short` is a whole cycle of SIM(n1, 20), at lr 1e-3 or its own."""
    short = replace(SHORT, share=20 / EPOCHS[data], optimizer=None if own_rates else QUICK)
    smoke = replace(SMALL, data="made-up:3x8x8") if data == "cifar10" else SMALL
    return {"short": short, "smoke": smoke, "full": Scale()}
