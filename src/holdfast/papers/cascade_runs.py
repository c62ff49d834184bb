"""The networks of paper 002 (cascade.py): how they are trained, and what a smaller machine makes of them."""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import BIM, FGSM, Attack, IterLL, StepLL
from holdfast.attacks.bim import iterations
from holdfast.data import CropFlip
from holdfast.experiments import Scale
from holdfast.methods import Kurakin, Method, SavedImages, Standard, UnifiedEmbedding, truncated_normal
from holdfast.methods.mixed_batch import Adversaries
from holdfast.threats import Linf
from holdfast.training.optimizers import SGD
from holdfast.training.run import Run, Start
from holdfast.training.schedules import Levels, Steps


def threat(eps: int) -> Linf:
    """Return the paper's threat, whose eps is of 255."""
    return Linf(eps / 255)


def attack(name: str, eps: int) -> Attack:
    """Return one of the paper's attacks: steps of 1/255, min(eps + 4, 1.25 eps) of them, from the image itself."""
    steps = iterations(eps)
    return {
        "step_ll": StepLL(threat(eps)),
        "step_FGSM": FGSM(threat(eps)),
        "iter_ll": IterLL(threat(eps), steps, 1 / 255),
        "iter_FGSM": BIM(threat(eps), steps, 1 / 255),
    }[name]


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
MNIST_CHOICES = mnist({
    "Pivot": UnifiedEmbedding(MNIST_LL),
    "no distance, paired as in Pivot": UnifiedEmbedding(MNIST_LL, penalty=0.0),
    "N = 1": UnifiedEmbedding(MNIST_LL, power=1),
    "the square, not its half": UnifiedEmbedding(MNIST_LL, half=False),
    "penultimate layer": UnifiedEmbedding(MNIST_LL, embedding="penultimate"),
    "eps from a truncated normal": UnifiedEmbedding(MNIST_LL, eps_sampler=truncated_normal),
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


PLAIN = {
    f"{letter}{number}": cifar(number, method)
    for number in (1, 2, 3)
    for letter, method in {"B": Standard(), "K": Kurakin((LL,)), "P": UnifiedEmbedding((LL,))}.items()
}
BANK = SavedImages(PLAIN["P2"], largest=16)
CASCADE = {
    f"{letter}{number}_C": cifar(number, method)
    for number in (1, 2, 3, 4)
    for letter, method in {"K": Kurakin((LL, BANK)), "P": UnifiedEmbedding((LL, BANK))}.items()
}
NETS = PLAIN | CASCADE
WHITE_BOX = {
    "Baseline": NETS["B1"],
    "step_ll Kurakin": NETS["K1"],
    "step_ll Bidirection": cifar(1, UnifiedEmbedding((LL,), pivot=False)),
    "step_ll Pivot": NETS["P1"],
    "step_FGSM Kurakin": cifar(1, Kurakin((FAST,))),
    "step_FGSM Pivot": cifar(1, UnifiedEmbedding((FAST,))),
    "step_both Kurakin": cifar(1, Kurakin((LL, FAST))),
    "step_both Pivot": cifar(1, UnifiedEmbedding((LL, FAST))),
}
EARLY = {
    "Kurakin": NETS["K1"],
    "Bidirection": WHITE_BOX["step_ll Bidirection"],
    "Pivot": NETS["P1"],
    "Pivot, another initialisation": NETS["P2"],
}
LATER = Levels((400, 60_000, 90_000), (0.1, 1.0, 0.1, 0.01))
MANY = {
    row: replace(NETS[name], steps=120_000, schedule=LATER,
                 start=Start(replace(CIFAR_FIRST, schedule=LATER), "position"))
    for row, name in {"Kurakin": "K1", "Pivot": "P1"}.items()
}  # fmt: skip
PENALTIES = (0.0, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
SMALL = Scale(share=2e-5, limit=64, model="cifar-resnet-8-average-2", data="made-up:3x32x32", test_limit=4, seeds=(0,),
              test_steps=2, effort="fast")  # fmt: skip
# Batch norm averages, for attacks and tests, over as large a share of the run as the paper's 1,000 batches.
AVERAGED = {f"cifar-resnet-{depth}": f"cifar-resnet-{depth}-average-15" for depth in (20, 110)}
EARLY_SCALES = {"short": Scale(share=0.01, limit=10_000, model=AVERAGED, test_limit=500, seeds=(0,))}
SHARE = 0.0137
"""A tenth of the pre-training (391 batches), then as many as a hundredth of the whole has after its own."""


def short(schedule: Levels) -> Scale:
    """Return the hundredth of EARLY_SCALES with a pre-training of 391 batches in place of 39.

    The pivot's distance runs away from a network that has hardly begun to learn (Table 2-early).
    """
    warm = 40 / SHARE  # the scale shortens milestones too, so this warms up for 40 batches
    milestones = replace(schedule, at=(warm, *schedule.at[1:]))
    return replace(EARLY_SCALES["short"], share=SHARE, least_steps=391, schedule=milestones)


SCALES = {
    "short": short(WARMED),
    "smoke": SMALL,
    "full": Scale(),
}
MNIST_SCALES = {
    "short": Scale(share=0.2, model="cifar-resnet-20-average-200", test_limit=1_000, seeds=(0,)),
    "smoke": replace(SMALL, share=2.5e-4, data="made-up:1x12x12"),
    "full": Scale(),
}
MNIST_SETTLED = {"short": replace(MNIST_SCALES["short"], share=2_350 / 8_000, least_steps=938)}
"""The paper's whole pre-training, then as many batches as MNIST_SCALES has after a fifth of it."""
