"""Paper 002: "Cascade adversarial machine learning regularized with a unified embedding" (Na, Ko, Mukhopadhyay, 2017).

What the paper leaves open and what its code does otherwise stands in docs/papers/cascade.md.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import nan

from holdfast.attacks import BIM, FGSM, Attack, IterLL, StepLL
from holdfast.attacks.bim import iterations
from holdfast.methods import Kurakin, Method, Standard, UnifiedEmbedding
from holdfast.optimization import SGD, Steps
from holdfast.report import Paper, Scale, Table
from holdfast.report.table import Column, Published
from holdfast.run import Run, Start
from holdfast.threats import Linf


def threat(eps: int) -> Linf:
    """Return the paper's threat, whose eps is of 255."""
    return Linf(eps / 255)


def one_step(eps: int) -> dict[str, Attack]:
    return {"step_ll": StepLL(threat(eps)), "step_FGSM": FGSM(threat(eps))}


def iterated(eps: int) -> dict[str, Attack]:
    steps = iterations(eps)
    return {"iter_ll": IterLL(threat(eps), steps, 1 / 255), "iter_FGSM": BIM(threat(eps), steps, 1 / 255)}


def white_box(sizes: tuple[int, ...], names: tuple[str, ...] = ("step_ll", "step_FGSM", "iter_ll", "iter_FGSM")):  # type: ignore[no-untyped-def]
    """Return the columns of a white-box table, in the paper's order: clean, then each attack at every eps."""
    attacks = {eps: one_step(eps) | iterated(eps) for eps in sizes}
    columns: dict[str, Column] = {"clean": None}
    return columns | {f"{name} {eps}": attacks[eps][name] for name in names for eps in sizes}


def printed(columns: Mapping[str, Column], rows: Mapping[str, str]) -> Published:
    """Return the numbers of a table, given as a line a row; "-" where the paper prints none."""
    found = {}
    for row, line in rows.items():
        cells = zip(columns, line.split(), strict=True)
        found[row] = {column: (float(text), nan) for column, text in cells if text != "-"}
    return found


def begun(first: Run, method: Method) -> Run:
    """Return a training that goes on where the shared pre-training ends.

    A batch is 128 images as the network sees them: with a distance, 64 and the same 64 attacked.
    """
    batch = 64 if isinstance(method, UnifiedEmbedding) else 128
    return replace(first, method=method, start=Start(first, "position"), batch=batch)


MOVED = SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, decayed="kernels")
MNIST_FIRST = Run(Standard(), "cifar-resnet-20", "mnist", epochs=None, steps=938, optimizer=MOVED,
                  schedule=Steps((4_000, 6_000)))  # fmt: skip
MNIST_LL = (StepLL(threat(32)),)
MNIST = {
    row: replace(begun(MNIST_FIRST, method), steps=8_000)
    for row, method in {
        "Baseline": Standard(),
        "Kurakin": Kurakin(MNIST_LL),
        "Bidirection": UnifiedEmbedding(MNIST_LL, pivot=False),
        "Pivot": UnifiedEmbedding(MNIST_LL),
    }.items()
}
MNIST_COLUMNS = white_box((16, 32))
MNIST_SCALES = {
    "smoke": Scale(share=2.5e-4, model="cifar-resnet-8-average-2", data="made-up:1x12x12", test_limit=8, seeds=(0,),
                   test_steps=2),
    "short": Scale(share=0.2, model="cifar-resnet-20-average-200", test_limit=1_000, seeds=(0,)),
    "full": Scale(seeds=(0,)),
}  # fmt: skip

PAPER = Paper(
    name="cascade",
    title="Cascade adversarial machine learning regularized with a unified embedding",
    scales=MNIST_SCALES,
    tables={
        "1": Table(
            "Table 1: MNIST",
            MNIST,
            MNIST_COLUMNS,
            published=printed(
                MNIST_COLUMNS,
                {
                    "Baseline": "99.6 95.7 30.2 92.6 29.7 98.1 66.2 86.6 7.5",
                    "Kurakin": "99.6 99.2 96.7 98.5 94.1 99.5 97.9 98.2 87.9",
                    "Bidirection": "99.5 99.3 98.8 99.1 98.4 99.4 99.1 98.9 96.5",
                    "Pivot": "99.6 99.4 98.8 99.1 98.1 99.5 99.3 98.8 96.4",
                },
            ),
            scales=MNIST_SCALES,
        ),
    },
)
