"""The networks of paper 000: as it is printed, as its code ran, and what else it speaks of.

As printed, eps is 0.31 in [0, 1]. In the code it is 0.031 of normalised pixels, about 2/255, images are not shuffled,
and the epoch with the least clean loss on images held out is kept; the printed numbers were most likely made with that.
"""

from dataclasses import replace

from holdfast.attacks import FGSM, PGD
from holdfast.defences import SAP
from holdfast.experiments import Defended, Scale
from holdfast.experiments.defended_row import Row
from holdfast.methods import AT, CL, EAT, TRADES, Standard
from holdfast.methods.method import Method
from holdfast.objectives import distance, divergence, euclidean
from holdfast.threats import Linf, NormalisedLinf, Threat
from holdfast.training.optimizers import AdamW
from holdfast.training.patience import Patience
from holdfast.training.run import Run
from holdfast.training.schedules import Triangle

PRINTED, CODED = Linf(0.31), NormalisedLinf(0.031)
STEP = 0.008
"""Of PGD: in [0, 1] as printed, of normalised pixels in the code."""


def fast(threat: Threat) -> FGSM:
    """Return the attack of the rows that end in FGSM."""
    return FGSM(threat)


def slow(threat: Threat) -> PGD:
    """Return the attack of the rows that end in PGD."""
    return PGD(threat, steps=20, step_size=STEP, random_start=False)


BASE = Run(
    Standard(),
    model="imagenet-resnet-18",
    data="cifar10",
    pretrained=True,
    epochs=30,
    batch=128,
    optimizer=AdamW(lr=1e-5, weight_decay=0.1),
    held_out=10_000,
)
RELEASED = replace(BASE, epochs=100, select=Patience(3), order="stored")


def rivals(threat: Threat) -> dict[str, Method]:
    """Return what the paper compares with."""
    return {
        "ResNet": Standard(),
        "ResNet+AT-FGSM": AT(fast(threat)),
        "ResNet+AT-PGD": AT(slow(threat)),
        "ResNet+TRADES-FGSM": TRADES(replace(fast(threat), objective=divergence), beta=1.0),
        "ResNet+TRADES-PGD": TRADES(replace(slow(threat), objective=divergence), beta=1.0),
    }


def worded(threat: Threat) -> dict[str, Method]:
    """Return CL as the paper words it: the Euclidean length, beta 6."""
    return {"CL-FGSM": CL(fast(threat), beta=6.0), "CL-PGD": CL(slow(threat), beta=6.0)}


def released(threat: Threat) -> dict[str, Method]:
    """Return CL as its code has it: the mean square, and beta 1.5 with PGD."""
    return {
        "CL-FGSM": CL(fast(threat), beta=6.0, metric=distance),
        "CL-PGD": CL(slow(threat), beta=1.5, metric=distance),
    }


def _rows(base: Run, methods: dict[str, Method]) -> dict[str, Run]:
    return {row: replace(base, method=method) for row, method in methods.items()}


AS_PRINTED = rivals(PRINTED) | {f"ResNet+{name}": method for name, method in worded(PRINTED).items()}
NAMES = tuple(AS_PRINTED)
"""The paper's rows."""
OF_CODE = {
    "ResNet+CL-FGSM (code's MSE)": released(PRINTED)["CL-FGSM"],
    "ResNet+CL-PGD (code's MSE, beta 1.5)": released(PRINTED)["CL-PGD"],
}
CIFAR = _rows(BASE, AS_PRINTED | OF_CODE)
MNIST = {row: replace(run, data="mnist", held_out=5_000) for row, run in CIFAR.items()}

AS_CODED = rivals(CODED) | {f"ResNet+{name}": method for name, method in released(CODED).items()}
IN_WORDS = {f"ResNet+{name} (Euclid, beta 6)": method for name, method in worded(CODED).items()}
CODED_CIFAR = _rows(RELEASED, AS_CODED | IN_WORDS)
CODED_MNIST = {row: replace(run, data="mnist", held_out=5_000, batch=32) for row, run in CODED_CIFAR.items()}


def related(rows: dict[str, Run]) -> dict[str, Row]:
    """Return the systems that section 3 speaks of, beside the undefended network and CL with PGD."""
    plain, ours = rows["ResNet"], rows["ResNet+CL-PGD"]
    second = replace(plain, seed=plain.seed + 100)
    return {
        "ResNet": plain,
        "ResNet+EAT": replace(plain, method=EAT((plain, second), fast(CODED), itself=False)),
        "ResNet+SAP": Defended(plain, (SAP(),)),
        "ResNet+CL-PGD": ours,
        "ResNet+CL-PGD+SAP": Defended(ours, (SAP(),)),
    }


def by_eps() -> dict[str, Run]:
    """Return CL in both metrics at the printed eps, at a tenth of it, and at 2/255, each with FGSM and beta 6."""
    metrics = {"Euclid": euclidean, "mean square": distance}
    sizes = {"0.31": 0.31, "0.031": 0.031, "2/255": 2 / 255}
    methods: dict[str, Method] = {
        f"{metric}, eps {eps}": CL(FGSM(Linf(radius)), beta=6.0, metric=measure)
        for metric, measure in metrics.items()
        for eps, radius in sizes.items()
    }
    return {row: replace(BASE, method=method, data="mnist", held_out=5_000) for row, method in methods.items()}


SMALL = Scale(model="digits-net", epochs=1, limit=16, test_limit=4, seeds=(0,), train_steps=1, test_steps=1, batch=16,
              pretrained=False, held_out=0, effort="fast")  # fmt: skip
QUICK = Scale(pretrained=False, optimizer=AdamW(lr=1e-3, weight_decay=0.1))
"""From random weights."""
CIFAR_SCALES = {
    "short": replace(QUICK, epochs=10, test_limit=2_000, seeds=(0, 1), held_out=0, schedule=Triangle()),
    "smoke": replace(SMALL, data="made-up:3x32x32"),
    "full": Scale(),
}  # fmt: skip
# Only the paper's own network has the embeddings of Table 3.
EMBEDDING_SCALES = CIFAR_SCALES | {"smoke": replace(SMALL, data="made-up:3x32x32", model=None)}
MNIST_SCALES = {
    "short": replace(QUICK, model="lenet", epochs=2, limit=20_000, test_limit=1_000, seeds=(0, 1), train_steps=7,
                     held_out=0, schedule=Triangle()),
    "smoke": replace(SMALL, data="made-up:1x28x28"),
}  # fmt: skip
# Two cores: LeNet-5, whose embedding is its last hidden layer, on images drawn once; the early stop is the table's own.
LITTLE = replace(QUICK, model="lenet-5", limit=9_000, held_out=1_000, test_limit=500, seeds=(0, 1), train_steps=7,
                 effort="fast")  # fmt: skip
CODED_SCALES = {"short": replace(LITTLE, epochs=5), "smoke": CIFAR_SCALES["smoke"], "full": Scale()}
CODED_MNIST_SCALES = {"short": replace(LITTLE, epochs=4), "smoke": MNIST_SCALES["smoke"], "full": Scale()}
EPS_SCALES = CODED_MNIST_SCALES | {"short": replace(LITTLE, epochs=3)}
