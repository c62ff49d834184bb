"""The networks of paper 001 (agkd_bml.py).

All methods of a table train the same network for as long, from fresh weights, whatever their own papers do; the
differences stand in docs/papers/agkd-bml.md.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import PGD, FeatureScattering
from holdfast.data import CropFlip
from holdfast.experiments import Scale
from holdfast.methods import AGKDBML, ALP, AT, AWP, CAS, CAT, MART, SML, TRADES, Bilateral, Standard
from holdfast.methods.method import Method
from holdfast.objectives import SmoothedCrossEntropy, Towards, cross_entropy, divergence
from holdfast.threats import Linf
from holdfast.training.optimizers import SGD
from holdfast.training.run import Run, Start
from holdfast.training.schedules import Steps

THREAT = Linf(8 / 255)
STEP = 2 / 255
SYMMETRIC = (("normalize", "symmetric"),)
"""Networks see [-1, 1], as in the released code."""
SMOOTHED = SmoothedCrossEntropy(0.5)

SGD_01 = SGD(lr=0.1, momentum=0.9, weight_decay=2e-4)

CIFAR = Run(
    Standard(),
    model="wrn-28-10",
    data="cifar10",
    epochs=200,
    batch=128,
    optimizer=SGD_01,
    schedule=Steps((100, 150)),
    augment=CropFlip(pad=4),
    options=SYMMETRIC,
)
SVHN = replace(CIFAR, data="svhn", optimizer=replace(SGD_01, lr=0.01), schedule=Steps((60, 90)), augment=None)
TINY = replace(CIFAR, model="sml-resnet", data="tiny-imagenet", epochs=40, schedule=Steps((30,)), options=())


def pgd(steps: int, step_size: float = STEP, threat: Linf = THREAT) -> PGD:
    """Return the attack of most methods, from a random start."""
    return PGD(threat, steps=steps, step_size=step_size)


def towards(steps: int, step_size: float, threat: Linf = THREAT) -> PGD:
    """Return the attack towards a class."""
    return replace(pgd(steps, step_size, threat), objective=Towards(cross_entropy))


TRADES_ATTACK = PGD(THREAT, steps=10, step_size=0.007, random_start=False, objective=divergence)


def teacher_of(base: Run) -> Run:
    """Return the run of clean images, with smoothed labels, whose attention is taught."""
    return replace(base, method=Standard(SMOOTHED))


def agkd_bml(base: Run, steps: int = 2, step_size: float = 4 / 255, mart: float = 0.0) -> AGKDBML:
    """Return the paper's method with a teacher of the same kind of network."""
    return AGKDBML(teacher_of(base), towards(steps, step_size), mart=mart)


def methods(base: Run) -> dict[str, Method]:
    """Return every method of the tables that trains the same network as the others, by the name of its row."""
    whole = agkd_bml(base)
    return {
        "UM": Standard(),
        "Bilateral": Bilateral(towards(1, THREAT.eps)),
        "Bilateral-4": Bilateral(towards(4, STEP)),
        "FS": AT(FeatureScattering(THREAT), SMOOTHED),
        "FS-2": AT(FeatureScattering(THREAT, steps=2, step_size=THREAT.eps), SMOOTHED),
        "AT-7": AT(pgd(7)),
        "ALP": ALP(pgd(7)),
        "SML-7": SML(pgd(7)),
        "TRADES": TRADES(TRADES_ATTACK),
        "MART": MART(PGD(THREAT, steps=10, step_size=0.007, random_start=False)),
        "CAT-CE": CAT(THREAT, form="ce"),
        "CAT-MIX": CAT(THREAT, form="mix"),
        "BML": replace(whole, teacher=None, attention_weight=0.0),
        "AGKD": replace(whole, metric_weight=0.0),
        "AGKD-BML": whole,
        "AGKD-BML, as printed": whole.as_printed(),
    }


def at_eps_4(base: Run) -> Run:
    """Return AGKD-BML trained in half the ball, as appendix E has it."""
    return replace(base, method=replace(agkd_bml(base), attack=towards(2, STEP, Linf(4 / 255))))


def rows(base: Run, *names: str) -> dict[str, Run]:
    """Return runs of these methods."""
    chosen = methods(base)
    return {name: replace(base, method=chosen[name]) for name in names}


def suppressed(base: Run) -> dict[str, Run]:
    """Return the two rows of channel-wise activation suppressing, on the network that it is built into."""
    network = replace(base, model=f"{base.model}-cas")
    attack = PGD(THREAT, steps=10, step_size=0.007)
    return {
        "TRADES+CAS-10": replace(network, method=CAS("TRADES", attack, beta=4.0)),
        "MART+CAS-10": replace(network, method=CAS("MART", attack, beta=5.0)),
    }


def beside(base: Run) -> dict[str, Run]:
    """Return what the paper has in other forms or only cites: AT that suppresses, and weights perturbed in training."""
    return {
        "AT+CAS-7": replace(base, model=f"{base.model}-cas", method=CAS("AT", pgd(7))),
        "AT-7+AWP": replace(base, method=AWP(AT(pgd(7)))),
        "TRADES+AWP": replace(base, method=AWP(TRADES(TRADES_ATTACK))),
    }


def early(base: Run, steps: int, decay: int, model: str = "wrn-28-10") -> Run:
    """Return AGKD-BML with many steps and MART, stopped five epochs after its only decay."""
    base = replace(base, model=model)
    method = agkd_bml(base, steps, STEP, mart=6.0)
    return replace(base, method=method, epochs=decay + 5, schedule=Steps((decay,)))


def by_attention(base: Run) -> dict[str, Run]:
    """Return AGKD without metric learning, with each attention of Table 6."""
    method = replace(agkd_bml(base), metric_weight=0.0)
    kinds: Mapping[str, Method] = {
        "GC-orig": replace(method, attention="grad-cam true"),
        "GC-false": replace(method, attention="grad-cam false"),
        "CAM-avg": replace(method, attention="cam average"),
        "AGKD": method,
    }
    return {name: replace(base, method=kind) for name, kind in kinds.items()}


def by_step(base: Run) -> dict[str, Run]:
    """Return AGKD-BML with three sizes of its two steps, as the paper prints none."""
    return {f"{size}": replace(base, method=agkd_bml(base, 2, size / 255)) for size in (2, 4, 8)}


def from_teacher(base: Run) -> Run:
    """Return AGKD-BML that begins at its teacher, as in the released code."""
    return replace(base, method=agkd_bml(base), start=Start(teacher_of(base)))


SMALLER = {
    "wrn-28-10": "wrn-10-1",
    "wrn-34-10": "wrn-16-1",
    "wrn-28-10-cas": "wrn-10-1-cas",
    "madry-wrn-34-10": "madry-wrn-10-1",
    "sml-resnet": "wrn-10-1",
    "vgg-16": "wrn-16-1",
}
"""What a processor trains in the place of each network."""
SCALES = {
    "short": Scale(share=0.03, model=SMALLER, limit=10_000, test_limit=1_000, seeds=(0,)),
    "smoke": Scale(model=SMALLER, epochs=1, limit=32, test_limit=4, seeds=(0,), train_steps=1, test_steps=1, batch=16,
                   data="made-up:3x8x8", effort="fast"),
    "full": Scale(),
}  # fmt: skip
