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
from holdfast.training.optimizers import SGD, Adam
from holdfast.training.run import Run
from holdfast.training.schedules import Steps

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


def methods(threat: Linf) -> dict[str, Method]:
    """Return the six methods of Table 3, by row, with the numbers in its header."""
    others = {"Vanilla": Standard(), f"Free-Adv (m={M})": FreeAT(threat, m=M), "ATDA": ATDA(FGSM(threat))}
    return others | by_small_steps(threat, 10, 20, 30)


def by_small_steps(threat: Linf, n1: int, sim: int, steps: int) -> dict[str, Method]:
    """Return the three methods whose steps are an n1-th of the ball: SIM(n1, sim), BIM and Madry(n1, steps)."""
    return {
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


MNIST = rows("mnist", methods(THREATS["mnist"]))
FASHION = rows("fashion-mnist", methods(THREATS["fashion-mnist"]))
CIFAR = rows("cifar10", methods(THREATS["cifar10"]) | by_small_steps(THREATS["cifar10"], 4, 20, 10))
"""With the tests' n1 beside the header's."""
RIVALS = rows("mnist", rivals(THREATS["mnist"], BASES["mnist"]))
SINGLE_STEP = {
    name: {**MNIST, **RIVALS}[name]
    for name in ("Vanilla", f"Free-Adv (m={M})", "ATDA", "SIM(10,20)-Adv", "Fast-AT", "N-FGSM", "BIM(10,30)-Adv",
                 "GradAlign")
}  # fmt: skip
SINGLE_STEP_CIFAR = {
    name: CIFAR[name] for name in ("Vanilla", f"Free-Adv (m={M})", "ATDA", "SIM(4,20)-Adv", "BIM(4,10)-Adv")
}


def by_cycle() -> dict[str, Run]:
    """Return SIM(n1, n2) where the ball is filled late, early and often over, and with two steps an epoch."""
    threat = THREATS["mnist"]
    pairs = ((10, 10), (10, 20), (10, 50), (5, 20))
    once = {f"SIM({n1},{n2})-Adv": SIMAdv(threat, n1=n1, n2=n2) for n1, n2 in pairs}
    return rows("mnist", once | {"SIM(10,20)-Adv, 2 steps": SIMAdv(threat, n1=10, n2=20, steps=2)})


def by_count() -> dict[str, Run]:
    """Return BIM-Adv with few large and with many small steps, which reach as far."""
    return rows("mnist", {f"BIM({n},{n})-Adv": MixedAT(bim(THREATS["mnist"], n, n)) for n in (5, 30)})


def at_four() -> dict[str, Run]:
    """Return two methods of a single step in the smaller ball in which ATDA's authors tested it."""
    attack = FGSM(Linf(4 / 255))
    return rows("cifar10", {"FGSM-Adv": MixedAT(attack), "ATDA": ATDA(attack)})


def as_their_authors() -> dict[str, Run]:
    """Return Free-Adv with its authors' optimizer and the paper's m, and ATDA as its authors' code has it."""
    sgd = SGD(lr=0.1, weight_decay=2e-4, decayed="kernels")
    free, atda = (rows("mnist", methods(THREATS["mnist"]))[name] for name in (f"Free-Adv (m={M})", "ATDA"))
    drops = Steps(at=(EPOCHS["mnist"] / M / 2, EPOCHS["mnist"] / M * 3 / 4))
    attack = FGSM(THREATS["mnist"])
    return {
        f"Free-Adv (m={M}), SGD 0.1": replace(free, optimizer=sgd, schedule=drops),
        "ATDA, batch 32": replace(atda, batch=32, method=ATDA(attack, spread="scatter", labels="predicted")),
    }


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
SMALL_COLOURED = replace(SMALL, data="made-up:3x8x8")
SHORT = Scale(limit=3_000, batch=50, test_limit=1_000, seeds=(0, 1), train_steps=7)
SHORT_RESNET = {"cifar-resnet-20": "cifar-resnet-8-average-50"}
"""A twentieth of the steps, and batch-norm averages over a twentieth of the batches."""
LECUNS = {"lenet": "lenet-5"}
FULL_DATA = Scale(share=1 / 3, test_limit=1_000, seeds=(0,), train_steps=7, optimizer=QUICK, model=LECUNS)
"""All training images and a third of the epochs, a whole cycle of SIM(n1, 20), with LeCun's own network."""


def scales(data: str, own_rates: bool = False, own_settings: bool = False) -> dict[str, Scale]:
    """Return the scales of a table on one data set; `short` is a whole cycle of SIM(n1, 20).

    It is at lr 1e-3, or at the rates of the rows' own; with their own settings the batches are theirs too.
    """
    share, optimizer = 20 / EPOCHS[data], None if own_rates or own_settings else QUICK
    short = replace(SHORT, share=share, optimizer=optimizer, batch=None if own_settings else SHORT.batch)
    if data == "cifar10":
        return {"short": replace(short, model=SHORT_RESNET), "smoke": SMALL_COLOURED, "full": Scale()}
    full_data = replace(FULL_DATA, share=share, optimizer=optimizer)
    return {"short": short, "smoke": SMALL, "full": Scale(), "full-data": full_data}


def with_all_steps(smaller: dict[str, Scale]) -> dict[str, Scale]:
    """Return scales that leave the attacks inside methods their steps: for rows that differ by these."""
    return {name: scale if name == "smoke" else replace(scale, train_steps=None) for name, scale in smaller.items()}


def at_full_length(smaller: dict[str, Scale]) -> dict[str, Scale]:
    """Return scales with all epochs: for rows that differ by n2, as SIM(10, 50) is SIM(10, 20) in 20 epochs."""
    return {name: scale if name == "smoke" else replace(scale, share=None) for name, scale in smaller.items()}
