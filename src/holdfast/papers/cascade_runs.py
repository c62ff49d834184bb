"""The networks of paper 002 (cascade.py), and how they are trained."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from holdfast.attacks import FGSM, StepLL
from holdfast.data import CropFlip
from holdfast.methods import EAT, Kurakin, Method, SavedImages, Standard, UnifiedEmbedding, truncated_normal
from holdfast.methods.mixed_batch import Adversaries
from holdfast.papers.cascade_attacks import threat
from holdfast.training.optimizers import SGD
from holdfast.training.run import Run, Start
from holdfast.training.schedules import Levels, Steps


def begun(first: Run, method: Method) -> Run:
    """Return a training that goes on where the shared pre-training ends."""
    batch = 64 if isinstance(method, UnifiedEmbedding) else 128
    return replace(first, method=method, start=Start(first, "position"), batch=batch)


MOVED = SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, decayed="kernels")

# MNIST
MNIST_FIRST = Run(Standard(), "cifar-resnet-20", "mnist", epochs=None, steps=938, optimizer=MOVED,
                  schedule=Steps((4_000, 6_000)))  # fmt: skip
MNIST_LL: Adversaries = (StepLL(threat(32)),)


def mnist(methods: Mapping[str, Method]) -> dict[str, Run]:
    """Return a run on MNIST for each method."""
    return {row: replace(begun(MNIST_FIRST, method), steps=8_000) for row, method in methods.items()}


MNIST = mnist({
    "Baseline": Standard(),
    "Kurakin": Kurakin(MNIST_LL),
    "Bidirection": UnifiedEmbedding(MNIST_LL, pivot=False),
    "Pivot": UnifiedEmbedding(MNIST_LL),
})  # fmt: skip
SETTLED = {
    "Pivot": MNIST["Pivot"],
    "Pivot, lr a tenth after pre-training": replace(MNIST["Pivot"], schedule=Steps((938, 6_000))),
}
GIVEN = partial(UnifiedEmbedding, MNIST_LL, pivot=False)
"""As released: trained to the pivot's words, networks come out empty, and nothing could be told of the choices."""
MNIST_CHOICES = mnist({
    "Bidirection": GIVEN(),
    "no distance, paired as in Bidirection": GIVEN(penalty=0.0),
    "N = 1": GIVEN(power=1),
    "the square, not its half": GIVEN(half=False),
    **{f"layer {layer}": GIVEN(embedding=layer) for layer in ("penultimate", "block3", "block2")},
    "eps from a truncated normal": GIVEN(eps_sampler=truncated_normal),
})  # fmt: skip
# CIFAR-10
WARMED = Levels((400, 48_000, 72_000), (0.1, 1.0, 0.1, 0.01))
CIFAR_FIRST = Run(Standard(), "cifar-resnet-20", "cifar10", epochs=None, steps=3_910, optimizer=MOVED, schedule=WARMED,
                  augment=CropFlip(pad=0, size=24))  # fmt: skip
LL, FAST = StepLL(threat(16)), FGSM(threat(16))


def cifar(number: int, method: Method) -> Run:
    """Return a run on CIFAR-10 whose initialisation, pre-training and depth have the paper's number."""
    first = replace(CIFAR_FIRST, model=f"cifar-resnet-{20 if number <= 2 else 110}", seed=1_000 * (number - 1))
    return replace(begun(first, method), steps=93_840)


def family(mark: str, pivot: bool) -> dict[str, Run]:
    """Return the networks with a distance, and the cascade networks whose bank this family's P2 makes.

    The mark stands behind the numbers.
    """
    distance = partial(UnifiedEmbedding, pivot=pivot)
    plain = {f"P{number}{mark}": cifar(number, distance((LL,))) for number in (1, 2, 3)}
    shown = (LL, SavedImages(plain[f"P2{mark}"], largest=16))
    cascade = {
        f"{letter}{number}{mark}_C": cifar(number, method)
        for number in (1, 2, 3, 4)
        for letter, method in {"K": Kurakin(shown), "P": distance(shown)}.items()
    }
    return plain | cascade


WORDED, RELEASED = "", "*"
"""The marks of the networks whose clean embedding is a constant, and of those that the released code trains."""
PLAIN = {
    f"{letter}{number}": cifar(number, method)
    for number in (1, 2, 3)
    for letter, method in {"B": Standard(), "K": Kurakin((LL,))}.items()
}
NETS = PLAIN | family(WORDED, pivot=True) | family(RELEASED, pivot=False)


def called(name: str, mark: str) -> str:
    """Return what a network of the paper is called in a family; without a distance or a bank it is in both."""
    return name if name in PLAIN else name[:2] + mark + name[2:]


WHITE_BOX = {
    "Baseline": NETS["B1"],
    "step_ll Kurakin": NETS["K1"],
    "step_ll Bidirection": NETS["P1*"],
    "step_ll Pivot": NETS["P1"],
    "step_FGSM Kurakin": cifar(1, Kurakin((FAST,))),
    "step_FGSM Pivot": cifar(1, UnifiedEmbedding((FAST,))),
    "step_FGSM Pivot as released": cifar(1, UnifiedEmbedding((FAST,), pivot=False)),
    "step_both Kurakin": cifar(1, Kurakin((LL, FAST))),
    "step_both Pivot": cifar(1, UnifiedEmbedding((LL, FAST))),
    "step_both Pivot as released": cifar(1, UnifiedEmbedding((LL, FAST), pivot=False)),
}
PIXELS = replace(CIFAR_FIRST, data="level:cifar10")
MEANS = {
    "mean of each channel": NETS["P1*"],
    "mean of each pixel": replace(NETS["P1*"], data=PIXELS.data, start=Start(PIXELS, "position")),
}
DISTANCE = partial(UnifiedEmbedding, pivot=False)
BANKS = {
    "P1*_C, saved from P2*": NETS["P1*_C"],
    "saved from K2": cifar(1, DISTANCE((LL, SavedImages(NETS["K2"])))),
    "saved from P1*": cifar(1, DISTANCE((LL, SavedImages(NETS["P1*"])))),
    "saved from B2, K2 and P2*": cifar(1, DISTANCE((LL, *(SavedImages(NETS[each]) for each in ("B2", "K2", "P2*"))))),
    "EAT, step_ll from itself or B2": cifar(1, EAT((NETS["B2"],), LL)),
}
EARLY = {
    "Kurakin": NETS["K1"],
    "Bidirection": NETS["P1*"],
    "Pivot": NETS["P1"],
    "Pivot, another initialisation": NETS["P2"],
}
LATER = Levels((400, 60_000, 90_000), (0.1, 1.0, 0.1, 0.01))
MANY = {
    row: replace(NETS[name], steps=120_000, schedule=LATER,
                 start=Start(replace(CIFAR_FIRST, schedule=LATER), "position"))
    for row, name in {"Kurakin": "K1", "Pivot": "P1", "Pivot as released": "P1*"}.items()
}  # fmt: skip
PENALTIES = (0.0, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
