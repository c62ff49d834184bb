"""Paper 002: "Cascade adversarial machine learning regularized with a unified embedding" (Na, Ko, Mukhopadhyay, 2017).

Tables 1 to 10 and Figures 3 to 6; Figures 1 and 2 are drawings. Networks are called as in the paper: B baseline, K
Kurakin's, P pivot, _C cascade; 1 and 2 have 20 layers, 3 and 4 have 110; one number is one initialisation. They
stand in cascade_runs.py, the printed numbers in cascade_printed.py; what the paper leaves open and what its code does
otherwise in docs/papers/cascade.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any

from holdfast.analysis import Analysis, GradientCorrelation, SoftmaxArguments
from holdfast.analysis.one_step import UNIT, grid
from holdfast.attacks import FGSM, RandomSign
from holdfast.experiments import Audit, Figure, Paper, Scale, Study, Table, Transfer
from holdfast.experiments.table import Column, Published
from holdfast.methods import UnifiedEmbedding
from holdfast.papers.cascade_printed import PRINTED
from holdfast.papers.cascade_runs import (
    EARLY,
    EARLY_SCALES,
    LATER,
    LL,
    MANY,
    MNIST,
    MNIST_CHOICES,
    MNIST_LL,
    MNIST_SCALES,
    MNIST_SETTLED,
    NETS,
    PENALTIES,
    SCALES,
    SETTLED,
    WHITE_BOX,
    attack,
    cifar,
    mnist,
    short,
    threat,
)
from holdfast.training.run import Run

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


def swept(data: str, runs: Mapping[str, Run], sizes: Sequence[int], scales: Mapping[str, Scale]) -> Table:
    """Return Figure 3: accuracies against the penalty on the distance."""
    columns: dict[str, Column] = {"clean": None}
    for eps in sizes:
        columns |= {f"{name} {eps}": attack(name, eps) for name in ATTACKS}
    return Table(f"Figure 3: accuracy against lambda_2, step_ll, Pivot, {data}", runs, columns, (0,), shown_as="sweep",
                 axis="lambda_2", axis_scale="log", scales=scales)  # fmt: skip


PAPER = Paper(
    name="cascade",
    title="Cascade adversarial machine learning regularized with a unified embedding",
    scales=SCALES,
    tables={
        "1": Table(
            "Table 1: MNIST, trained with step_ll", MNIST, MNIST_COLUMNS | MNIST_AUDIT, (0,),
            published=printed(MNIST_COLUMNS, PRINTED["1"]),
            varied=TERMS, scales=MNIST_SCALES, notes=PAIRED,
        ),
        "1-choices": Table(
            "Table 1, our rows: what the paper leaves open", MNIST_CHOICES, MNIST_COLUMNS | MNIST_AUDIT, (0,),
            scales=MNIST_SCALES,
        ),
        "1-settled": Table(
            "Table 1's Pivot: at scale short after the paper's whole pre-training", SETTLED,
            MNIST_COLUMNS | MNIST_AUDIT, (0,), published=printed(MNIST_COLUMNS, {"Pivot": PRINTED["1"]["Pivot"]}),
            varied=("schedule",), scales=MNIST_SCALES | MNIST_SETTLED, notes=PAIRED,
        ),
        "2": white("Table 2: CIFAR-10, 20 layers", WHITE_BOX, PRINTED["2"]),
        "2-early": Table(
            "Table 2, some rows: at scale short with a pre-training as short as the rest", EARLY,
            white_box((4, 16)), (0,), varied=VARIED,
            scales=SCALES | EARLY_SCALES, notes=PAIRED,
        ),
        "3": Table(
            "Table 3: CIFAR-10, 20 networks", MANY,
            columns := {name: CIFAR_COLUMNS[name] for name in ("clean", "step_ll 4", "step_ll 16", "iter_ll 4",
                                                               "iter_ll 16")},
            tuple(range(20)),
            published=printed(columns, PRINTED["3"]),
            varied=TERMS, scales=SCALES | {"short": replace(short(LATER), seeds=(0, 1, 2, 3, 4))},
        ),
        "4": black_box("Table 4: CIFAR-10, black box", "B2 K2 P2", ("step_FGSM", "iter_ll", "iter_FGSM"), PRINTED["4"]),
        "5": white("Table 5: CIFAR-10, cascade, 20 layers; B1 and K1 from Table 2",
                   {row: NETS[row] for row in PRINTED["5"]}, PRINTED["5"]),
        "6": white("Table 6: CIFAR-10, cascade, 110 layers", {row: NETS[row] for row in PRINTED["6"]}, PRINTED["6"]),
        "7": black_box(
            "Table 7: CIFAR-10, cascade networks, black box",
            "B2 K2 P2 K2_C P2_C K4_C P4_C", ("step_FGSM", "iter_FGSM"),
            PRINTED["7"],
        ),
        "7-20": black_box(
            "Table 7, networks of 20 layers alone", "B2 K2 P2 K2_C P2_C", ("step_FGSM", "iter_FGSM"),
            PRINTED["7-20"],
        ),
        "8": black_box("Table 8: CIFAR-10, one initialisation", "B1 K1 P1", ("step_FGSM", "iter_ll", "iter_FGSM"),
                       PRINTED["8"]),
        "9": black_box("Table 9: CIFAR-10, the other way round", "B1 K1 P1", ("step_FGSM", "iter_ll", "iter_FGSM"),
                       PRINTED["9"]),
        "10": black_box(
            "Table 10: CIFAR-10, cascade networks, the other way round",
            "B1 K1_C P1_C K2_C P2_C K3_C P3_C K4_C P4_C", ("iter_FGSM",),
            PRINTED["10"],
        ),
    },
    figures={
        "3": swept("CIFAR-10", {f"{each:g}": cifar(1, UnifiedEmbedding((LL,), penalty=each)) for each in PENALTIES},
                   (4, 16), SCALES),
        "3-mnist": swept("MNIST", mnist({f"{each:g}": UnifiedEmbedding(MNIST_LL, penalty=each) for each in PENALTIES}),
                         (32,), MNIST_SCALES),
        "4": Figure("Figure 4: arguments of the softmax along step_ll, CIFAR-10",
                    panels(THREE, {"": SoftmaxArguments()}), **LOGITS),
        "4-mnist": Figure("Figure 4 on MNIST: arguments of the softmax along step_ll",
                          panels(MNIST, {"": SoftmaxArguments()}), scales=MNIST_SCALES, **LOGITS),
        "5": Figure("Figure 5: correlation of gradients, CIFAR-10",
                    panels(THREE, {"": GradientCorrelation()}), **CORRELATIONS),
        "5-mnist": Figure("Figure 5 on MNIST: correlation of gradients",
                          panels(MNIST, {"": GradientCorrelation(eps=TO_48)}), scales=MNIST_SCALES,
                          **CORRELATIONS),
        "6": Figure("Figure 6: arguments of the softmax along three attacks, CIFAR-10",
                    panels(THREE, {
                        "step_ll": SoftmaxArguments(),
                        "step_FGSM": SoftmaxArguments(attack=FGSM(UNIT)),
                        "random sign": SoftmaxArguments(attack=RandomSign(UNIT)),
                    }), **LOGITS),
        "leaking": leaking(LEAKING_ROWS, (2, 4, 8, 16), varied=VARIED, published={
            row: {"0": cells["clean"]} | {str(eps): cells[f"step_FGSM {eps}"] for eps in SIZES}
            for row, cells in printed(CIFAR_COLUMNS, PRINTED["2"]).items() if row in LEAKING_ROWS
        }),
        "leaking-mnist": leaking(MNIST, (4, 8, 16, 24, 32, 48), varied=TERMS, scales=MNIST_SCALES),
    },
)  # fmt: skip
