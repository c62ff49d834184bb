"""The figures of paper 002 (cascade.py): curves of accuracies, and looks along one-step attacks."""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.analysis import Analysis, GradientCorrelation, SoftmaxArguments
from holdfast.analysis.one_step import UNIT, grid
from holdfast.attacks import FGSM, RandomSign
from holdfast.experiments import Figure, Study, Table
from holdfast.experiments.table import Column
from holdfast.methods import UnifiedEmbedding
from holdfast.papers.cascade_attacks import ATTACKS, attack
from holdfast.papers.cascade_runs import LL, MNIST, MNIST_LL, NETS, PENALTIES, WHITE_BOX, cifar, mnist
from holdfast.papers.cascade_scales import MNIST_SCALES
from holdfast.papers.cascade_tables import CIFAR_COLUMNS, LINES_2, SIZES, TERMS, VARIED, printed
from holdfast.training.run import Run

FOUR = {"Baseline": NETS["B1"], "Kurakin": NETS["K1"], "Pivot": NETS["P1"], "Pivot as released": NETS["P1*"]}
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
DIRECTIONS: dict[str, Analysis] = {
    "step_ll": SoftmaxArguments(),
    "step_FGSM": SoftmaxArguments(attack=FGSM(UNIT)),
    "random sign": SoftmaxArguments(attack=RandomSign(UNIT)),
}


def panels(rows: Mapping[str, Run], looking: Mapping[str, Analysis]) -> dict[str, dict[str, Study]]:
    """Return a panel for each way of looking and each network."""
    return {
        f"{row}, {name}" if name else row: {"": Study(run, analysis)}
        for name, analysis in looking.items()
        for row, run in rows.items()
    }


def leaking(rows: Mapping[str, Run], sizes: Sequence[int], **others: Any) -> Table:
    """Return accuracy under step_FGSM against eps: labels leak where it rises above the clean accuracy."""
    columns: dict[str, Column] = {str(eps): attack("step_FGSM", eps) if eps else None for eps in (0, *sizes)}
    return Table("Label leaking: accuracy under step_FGSM against eps", rows, columns, (0,), shown_as="curve",
                 axis="eps, of 255", **others)  # fmt: skip


LEAKING = {row: run for row, run in WHITE_BOX.items() if "both" not in row}


def swept(pivot: bool) -> Table:
    """Return Figure 3 on CIFAR-10: accuracies against the penalty on the distance."""
    runs = {f"{each:g}": cifar(1, UnifiedEmbedding((LL,), penalty=each, pivot=pivot)) for each in PENALTIES}
    return sweep("CIFAR-10", pivot, runs, (4, 16))


def swept_mnist(pivot: bool) -> Table:
    """Return Figure 3 on MNIST."""
    methods = {f"{each:g}": UnifiedEmbedding(MNIST_LL, penalty=each, pivot=pivot) for each in PENALTIES}
    return sweep("MNIST", pivot, mnist(methods), (32,), scales=MNIST_SCALES)


def sweep(data: str, pivot: bool, runs: Mapping[str, Run], sizes: Sequence[int], **others: Any) -> Table:
    """Return accuracies of runs that are named by their penalties, clean and under each attack."""
    columns: dict[str, Column] = {"clean": None}
    for eps in sizes:
        columns |= {f"{name} {eps}": attack(name, eps) for name in ATTACKS}
    title = f"Figure 3: accuracy against lambda_2, step_ll, Pivot{'' if pivot else ' as released'}, {data}"
    return Table(title, runs, columns, (0,), shown_as="sweep", axis="lambda_2", axis_scale="log", **others)


FIGURES: dict[str, Table | Figure] = {
    "3": swept(pivot=True),
    "3-released": swept(pivot=False),
    "3-mnist": swept_mnist(pivot=True),
    "3-mnist-released": swept_mnist(pivot=False),
    "4": Figure("Figure 4: arguments of the softmax along step_ll, CIFAR-10",
                panels(FOUR, {"": SoftmaxArguments()}), **LOGITS),
    "4-mnist": Figure("Figure 4 on MNIST: arguments of the softmax along step_ll",
                      panels(MNIST, {"": SoftmaxArguments()}), scales=MNIST_SCALES, **LOGITS),
    "5": Figure("Figure 5: correlation of gradients, CIFAR-10", panels(FOUR, {"": GradientCorrelation()}),
                **CORRELATIONS),
    "5-mnist": Figure("Figure 5 on MNIST: correlation of gradients",
                      panels(MNIST, {"": GradientCorrelation(eps=TO_48)}), scales=MNIST_SCALES, **CORRELATIONS),
    "6": Figure("Figure 6: arguments of the softmax along three attacks, CIFAR-10", panels(FOUR, DIRECTIONS), **LOGITS,
                across=len(FOUR)),
    "leaking": leaking(LEAKING, SIZES, varied=VARIED, published={
        row: {"0": cells["clean"]} | {str(eps): cells[f"step_FGSM {eps}"] for eps in SIZES}
        for row, cells in printed(CIFAR_COLUMNS, {row: LINES_2[row] for row in LEAKING}).items()
    }),
    "leaking-mnist": leaking(MNIST, (4, 8, 16, 24, 32, 48), varied=TERMS, scales=MNIST_SCALES),
}  # fmt: skip
