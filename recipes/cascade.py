"""Paper 002: "Cascade adversarial machine learning regularized with a unified embedding" (Na, Ko, Mukhopadhyay, 2017).

Tables 1 to 10 and Figures 3 to 6; Figures 1 and 2 are drawings. Networks are called as in the paper: B baseline, K
Kurakin's, P pivot, _C cascade; 1 and 2 have 20 layers, 3 and 4 have 110; one number is one initialisation. They
stand in cascade_runs.py; what the paper leaves open and what its code does otherwise in docs/papers/cascade.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any

from holdfast.analysis import Analysis, GradientCorrelation, SoftmaxArguments
from holdfast.analysis.one_step import UNIT, grid
from holdfast.attacks import FGSM, RandomSign
from holdfast.methods import UnifiedEmbedding
from holdfast.report import Audit, Figure, Paper, Scale, Study, Table, Transfer
from holdfast.report.table import Column, Published
from holdfast.run import Run
from recipes.cascade_runs import (
    EARLY,
    EARLY_SCALES,
    LATER,
    LL,
    MANY,
    MNIST,
    MNIST_CHOICES,
    MNIST_LL,
    MNIST_SCALES,
    NETS,
    PRICES,
    SCALES,
    WHITE_BOX,
    attack,
    cifar,
    mnist,
    short,
    threat,
)

ATTACKS = ("step_ll", "step_FGSM", "iter_ll", "iter_FGSM")
TERMS = ("batch",)
"""A batch is 128 images as the network sees them: 128 of the data, or with a distance 64 and the same 64 attacked."""
VARIED = ("batch", "model", "seed", "start")
"""What differs besides, where networks of several initialisations or depths stand in one table."""


def white_box(sizes: Sequence[int]) -> dict[str, Column]:
    """Return the columns of a white-box table: clean, then each attack at every eps."""
    columns: dict[str, Column] = {"clean": None}
    for name in ATTACKS:
        columns |= {f"{name} {eps}": attack(name, eps) for eps in sizes}
    return columns


AUDIT: dict[str, Column] = {"audit 8": Audit(threat(8), limit=300)}
"""Beside the paper's attacks, which are weak: what no attack of ours breaks at eps 8."""
MNIST_AUDIT: dict[str, Column] = AUDIT | {"audit 32": Audit(threat(32), limit=300)}
PAIRED = (
    "a batch of the baseline or Kurakin's is 128 different images, one with a distance 64 and the same 64 attacked: in "
    "as many steps it sees half as many images",
)


def printed(columns: Mapping[str, Column], rows: Mapping[str, str]) -> Published:
    """Return the numbers of a table, given as a line a row; "-" where the paper prints none, a/b with a deviation."""
    found: dict[str, dict[str, tuple[float, float]]] = {row: {} for row in rows}
    for row, line in rows.items():
        for column, text in zip(columns, line.split(), strict=True):
            mean, _, std = text.partition("/")
            if text != "-":
                found[row][column] = (float(mean), float(std or nan))
    return found


MNIST_COLUMNS = white_box((16, 32))

SIZES = (2, 4, 8, 16)
CIFAR_COLUMNS = white_box(SIZES)

WHITE_BOX_LINES = {
    "Baseline":
        "90.9 44.5 26.0 14.2 11.5 28.7 20.6 15.7 12.2 47.7 33.3 12.5 9.1 14.0 0.4 0.0 0.0",
    "step_ll Kurakin":
        "91.0 85.8 86.7 87.3 84.4 78.9 83.3 85.2 81.5 78.2 65.1 35.3 16.8 50.6 9.8 0.4 0.0",
    "step_ll Bidirection":
        "91.0 86.1 87.1 88.3 87.3 78.7 82.8 88.0 90.0 76.6 69.0 41.8 22.9 52.0 11.2 0.2 0.0",
    "step_ll Pivot":
        "90.9 86.2 88.0 89.0 88.3 79.7 84.8 90.0 91.7 76.3 69.4 41.3 22.2 52.0 11.3 0.2 0.0",
    "step_FGSM Kurakin":
        "91.1 87.9 89.0 89.3 88.0 88.1 92.2 95.1 93.9 65.0 51.5 24.2 14.9 41.2 2.3 0.0 0.0",
    "step_FGSM Pivot":
        "90.9 87.8 88.7 89.4 89.1 86.0 90.3 93.9 93.9 69.5 63.3 38.4 23.4 49.9 6.8 0.1 0.0",
    "step_both Kurakin":
        "91.3 87.4 88.6 89.2 87.6 83.3 88.5 93.3 92.0 70.5 58.9 27.8 15.4 45.7 5.1 0.1 0.0",
    "step_both Pivot":
        "90.8 87.2 88.5 89.1 88.2 82.2 87.1 91.8 92.3 76.6 69.7 44.0 25.5 55.0 13.1 0.2 0.0",
}  # fmt: skip
CASCADE_LINES = {
    "B1": WHITE_BOX_LINES["Baseline"],
    "K1": WHITE_BOX_LINES["step_ll Kurakin"],
    "P1": WHITE_BOX_LINES["step_ll Pivot"],
    "P1_C": "90.7 84.6 82.8 79.4 73.9 80.5 77.6 72.7 65.7 82.2 75.8 67.1 58.7 67.0 37.9 20.1 9.7",
    "K1_C": "91.3 85.3 83.6 80.7 73.8 80.2 79.1 75.4 67.6 81.4 69.0 41.3 19.2 60.7 18.9 1.7 0.1",
}
DEEP_LINES = {
    "P3": "92.3 86.0 86.8 89.3 89.4 81.6 84.5 90.1 91.6 79.6 66.2 48.6 34.1 64.1 20.9 2.6 0.1",
    "P3_C": "91.4 85.6 83.9 81.4 76.8 81.2 79.3 74.3 67.2 83.8 77.8 69.8 61.6 69.9 45.9 30.4 19.5",
    "K3_C": "92.2 85.4 83.7 80.6 73.9 81.4 80.1 75.8 66.8 84.6 75.6 56.4 33.5 69.9 35.2 9.8 1.2",
}


def white(title: str, rows: Mapping[str, Run], lines: Mapping[str, str]) -> Table:
    """Return a white-box table on CIFAR-10."""
    return Table(title, rows, CIFAR_COLUMNS | AUDIT, (0,), published=printed(CIFAR_COLUMNS, lines), varied=VARIED,
                 scales=SCALES, notes=PAIRED)  # fmt: skip


def black_box(title: str, sources: str, attacks: Sequence[str], lines: Mapping[str, str]) -> Table:
    """Return a table of targets (rows) by attacks and the networks that they are made against (columns), at eps 16."""
    columns: dict[str, Column] = {
        f"{name} from {source}": Transfer(NETS[source], attack(name, 16))
        for name in attacks
        for source in sources.split()
    }
    return Table(title, {row: NETS[row] for row in lines}, columns, (0,), published=printed(columns, lines),
                 worst=tuple(columns), varied=VARIED, scales=SCALES)  # fmt: skip


def panels(rows: Mapping[str, Run], looking: Mapping[str, Analysis]) -> dict[str, dict[str, Study]]:
    """Return a panel for each way of looking and each network."""
    return {
        f"{row}, {name}" if name else row: {"": Study(run, analysis)}
        for name, analysis in looking.items()
        for row, run in rows.items()
    }


THREE = {"Baseline": NETS["B1"], "Kurakin": NETS["K1"], "Pivot": NETS["P1"]}
MNIST_THREE = {row: MNIST[row] for row in THREE}
LOGITS: dict[str, Any] = {
    "x": "eps, of 255; below zero the other way", "y": "argument of the softmax", "y_range": (-10, 25),
    "notes": ("bands are one standard deviation over the images either way",),
}  # fmt: skip
CORRELATIONS: dict[str, Any] = {
    "x": "eps, of 255", "y": "correlation of gradients", "x_scale": "log", "y_range": (-0.2, 1.0),
    "notes": ("bands are half a standard deviation over the images either way",),
}  # fmt: skip
TO_48 = grid((0.1, 0.9, 0.1), (1, 48, 1))
"""On MNIST networks are trained up to eps 32, so the figure goes on beyond the paper's 10."""
LEAKING_ROWS = {row: WHITE_BOX[row] for row in WHITE_BOX if "both" not in row and "Bidirection" not in row}


def leaking(rows: Mapping[str, Run], sizes: Sequence[int], **others: Any) -> Table:
    """Return accuracy under step_FGSM against eps: labels leak where it rises above the clean accuracy."""
    columns: dict[str, Column] = {str(eps): attack("step_FGSM", eps) if eps else None for eps in (0, *sizes)}
    return Table("Label leaking: accuracy under step_FGSM against eps", rows, columns, (0,), shown_as="curve",
                 axis="eps, of 255", **others)  # fmt: skip


def swept(runs: Mapping[str, Run], sizes: Sequence[int], scales: Mapping[str, Scale]) -> Table:
    """Return Figure 3: accuracies against the price of the distance."""
    columns: dict[str, Column] = {"clean": None}
    for eps in sizes:
        columns |= {f"{name} {eps}": attack(name, eps) for name in ATTACKS}
    return Table("Figure 3: accuracy against lambda_2, step_ll, Pivot", runs, columns, (0,), shown_as="sweep",
                 axis="lambda_2", axis_scale="log", scales=scales)  # fmt: skip


PAPER = Paper(
    name="cascade",
    title="Cascade adversarial machine learning regularized with a unified embedding",
    scales=SCALES,
    tables={
        "1": Table(
            "Table 1: MNIST, trained with step_ll", MNIST, MNIST_COLUMNS | MNIST_AUDIT, (0,),
            published=printed(MNIST_COLUMNS, {
                "Baseline": "99.6 95.7 30.2 92.6 29.7 98.1 66.2 86.6 7.5",
                "Kurakin": "99.6 99.2 96.7 98.5 94.1 99.5 97.9 98.2 87.9",
                "Bidirection": "99.5 99.3 98.8 99.1 98.4 99.4 99.1 98.9 96.5",
                "Pivot": "99.6 99.4 98.8 99.1 98.1 99.5 99.3 98.8 96.4",
            }),
            varied=TERMS, scales=MNIST_SCALES, notes=PAIRED,
        ),
        "1-choices": Table(
            "Table 1, our rows: what the paper leaves open", MNIST_CHOICES, MNIST_COLUMNS | MNIST_AUDIT, (0,),
            scales=MNIST_SCALES,
        ),
        "2": white("Table 2: CIFAR-10, 20 layers", WHITE_BOX, WHITE_BOX_LINES),
        "2-early": Table(
            "Table 2, our rows: pre-training as short as the rest", EARLY, white_box((4, 16)), (0,), varied=VARIED,
            scales=SCALES | EARLY_SCALES, notes=PAIRED,
        ),
        "3": Table(
            "Table 3: CIFAR-10, 20 networks", MANY,
            columns := {name: CIFAR_COLUMNS[name] for name in ("clean", "step_ll 4", "step_ll 16", "iter_ll 4",
                                                               "iter_ll 16")},
            tuple(range(20)),
            published=printed(columns, {
                "Kurakin": "90.9/0.25 86.1/0.98 84.6/2.89 64.2/2.89 16.3/2.02",
                "Pivot": "90.9/0.25 87.3/0.79 87.8/0.82 69.4/1.61 21.9/1.85",
            }),
            varied=TERMS, scales=SCALES | {"short": replace(short(LATER), seeds=(0, 1, 2, 3, 4))},
        ),
        "4": black_box("Table 4: CIFAR-10, black box", "B2 K2 P2", ("step_FGSM", "iter_ll", "iter_FGSM"), {
            "B1": "16.2 31.6 29.1 69.7 82.6 78.3 2.7 60.1 54.4",
            "K1": "66.7 82.7 79.4 87.7 83.5 82.5 55.8 28.5 28.5",
            "P1": "57.2 89.2 85.4 87.8 83.3 82.3 52.0 24.3 21.7",
        }),
        "5": white("Table 5: CIFAR-10, cascade, 20 layers; B1 and K1 from Table 2",
                   {row: NETS[row] for row in CASCADE_LINES}, CASCADE_LINES),
        "6": white("Table 6: CIFAR-10, cascade, 110 layers", {row: NETS[row] for row in DEEP_LINES}, DEEP_LINES),
        "7": black_box(
            "Table 7: CIFAR-10, cascade networks, black box",
            "B2 K2 P2 K2_C P2_C K4_C P4_C", ("step_FGSM", "iter_FGSM"),
            {
                "K1_C": "60.2 65.7 58.7 72.6 73.6 63.3 69.0 42.5 69.1 68.5 51.3 61.7 76.4 81.0",
                "P1_C": "61.3 68.3 65.1 71.2 73.9 66.6 71.5 50.5 69.0 71.0 50.3 62.4 77.1 81.5",
                "K3_C": "73.4 73.3 70.8 75.8 77.7 69.3 74.6 62.8 73.8 75.4 58.3 71.4 78.4 83.0",
                "P3_C": "71.8 74.8 72.7 76.6 75.4 68.3 74.4 67.5 77.5 78.1 66.8 68.8 80.2 83.5",
            },
        ),
        "7-20": black_box(
            "Table 7, networks of 20 layers alone", "B2 K2 P2 K2_C P2_C", ("step_FGSM", "iter_FGSM"),
            {
                "K1_C": "60.2 65.7 58.7 72.6 73.6 42.5 69.1 68.5 51.3 61.7",
                "P1_C": "61.3 68.3 65.1 71.2 73.9 50.5 69.0 71.0 50.3 62.4",
            },
        ),
        "8": black_box("Table 8: CIFAR-10, one initialisation", "B1 K1 P1", ("step_FGSM", "iter_ll", "iter_FGSM"), {
            "B1": "12.2 27.4 27.5 9.3 78.6 80.7 0.0 45.9 44.7",
            "K1": "65.7 81.5 81.8 87.7 16.8 81.8 51.5 0.0 18.2",
            "P1": "58.1 89.3 91.7 88.1 81.9 22.3 48.9 13.4 0.0",
        }),
        "9": black_box("Table 9: CIFAR-10, the other way round", "B1 K1 P1", ("step_FGSM", "iter_ll", "iter_FGSM"), {
            "B2": "17.9 33.9 34.5 73.9 82.2 82.8 4.1 54.8 54.3",
            "K2": "65.0 84.6 84.5 87.6 81.5 82.3 61.2 25.3 30.4",
            "P2": "66.4 88.2 87.2 88.3 83.5 83.9 61.6 27.7 36.1",
        }),
        "10": black_box(
            "Table 10: CIFAR-10, cascade networks, the other way round",
            "B1 K1_C P1_C K2_C P2_C K3_C P3_C K4_C P4_C", ("iter_FGSM",),
            {
                "K2_C": "41.2 58.4 63.6 - - 50.0 58.3 75.0 82.0",
                "P2_C": "51.7 62.9 62.5 - - 53.7 64.0 76.8 81.7",
                "K4_C": "62.7 68.2 70.3 52.4 68.7 55.6 65.8 - -",
                "P4_C": "76.4 69.9 71.3 65.1 69.0 61.7 67.7 - -",
            },
        ),
    },
    figures={
        "3": swept({f"{price:g}": cifar(1, UnifiedEmbedding((LL,), price=price)) for price in PRICES}, (4, 16), SCALES),
        "3-mnist": swept(mnist({f"{price:g}": UnifiedEmbedding(MNIST_LL, price=price) for price in PRICES}), (32,),
                         MNIST_SCALES),
        "4": Figure("Figure 4: arguments of the softmax along step_ll, CIFAR-10",
                    panels(THREE, {"": SoftmaxArguments()}), **LOGITS),
        "4-mnist": Figure("Figure 4 on MNIST: arguments of the softmax along step_ll",
                          panels(MNIST_THREE, {"": SoftmaxArguments()}), scales=MNIST_SCALES, **LOGITS),
        "5": Figure("Figure 5: correlation of gradients, CIFAR-10",
                    panels(THREE, {"": GradientCorrelation()}), **CORRELATIONS),
        "5-mnist": Figure("Figure 5 on MNIST: correlation of gradients",
                          panels(MNIST_THREE, {"": GradientCorrelation(eps=TO_48)}), scales=MNIST_SCALES,
                          **CORRELATIONS),
        "6": Figure("Figure 6: arguments of the softmax along three attacks, CIFAR-10",
                    panels(THREE, {
                        "step_ll": SoftmaxArguments(),
                        "step_FGSM": SoftmaxArguments(attack=FGSM(UNIT)),
                        "random sign": SoftmaxArguments(attack=RandomSign(UNIT)),
                    }), **LOGITS),
        "leaking": leaking(LEAKING_ROWS, (2, 4, 8, 16), varied=VARIED, published={
            row: {"0": cells["clean"]} | {str(eps): cells[f"step_FGSM {eps}"] for eps in SIZES}
            for row, cells in printed(CIFAR_COLUMNS, WHITE_BOX_LINES).items() if row in LEAKING_ROWS
        }),
        "leaking-mnist": leaking(MNIST, (4, 8, 16, 24, 32, 48), varied=TERMS, scales=MNIST_SCALES),
    },
)  # fmt: skip
