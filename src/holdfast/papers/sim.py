"""Paper 003: "Using single-step adversarial training to defend iterative adversarial examples" (SIM-Adv).

Tables 1, 3, 4 and 5 and Figures 1 to 4, 7 and 9; Figures 5, 6 and 8 are drawings. The networks stand in sim_runs.py,
the printed numbers in sim_printed.py, the figures that are no accuracies in sim_figures.py. The paper prints no epochs,
no batch and no weight of the clean images; what was chosen stands in docs/papers/sim.md.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import FGSM
from holdfast.attacks.presets import bim, madry
from holdfast.experiments import Audit, Paper, Table
from holdfast.experiments.columns import Seconds
from holdfast.experiments.table import Column
from holdfast.methods import ATDA, SIMAdv
from holdfast.methods.method import Method
from holdfast.papers.printed import Lines, printed
from holdfast.papers.sim_figures import FIGURES
from holdfast.papers.sim_printed import AT_FOUR, TABLE_1, TABLE_3, TABLE_4, TABLE_5
from holdfast.papers.sim_runs import (
    CIFAR,
    FASHION,
    LECUNS,
    MNIST,
    NAMES,
    RIVALS,
    SINGLE_STEP,
    SINGLE_STEP_CIFAR,
    THREATS,
    as_their_authors,
    at_four,
    at_full_length,
    by_count,
    by_cycle,
    by_rate,
    by_reach,
    by_weight,
    scales,
    with_all_steps,
)
from holdfast.threats import Linf
from holdfast.training.run import Run

ROWS_DIFFER = ("epochs", "optimizer")
EPS = {"mnist": "0.3", "fashion-mnist": "0.2", "cifar10": "8/255"}
TESTED = {"mnist": (10, 40), "fashion-mnist": (10, 40), "cifar10": (4, 20)}
"""n1 and the steps of the attacks in Table 3's columns."""
TWO_READINGS = (
    "the table's header has (10,20) and (10,30) on CIFAR-10 too, while the tests, and once the text, have n1 = 4: "
    "the printed numbers stand beside both readings"
)


def attacks(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the three attacks."""
    return {"FGSM": FGSM(threat)} | by_steps(threat, n1, steps)


def by_steps(threat: Linf, n1: int, steps: int) -> dict[str, Column]:
    """Return the two attacks that take many steps."""
    return {f"BIM({n1},{steps})": bim(threat, n1, steps), f"Madry({n1},{steps})": madry(threat, n1, steps)}


def columns(data: str, audited: int = 500) -> dict[str, Column]:
    """Return the paper's four ways to look at a network, and one that it does not have, on the first images alone."""
    threat = THREATS[data]
    return {"clean": None} | attacks(threat, *TESTED[data]) | {"audit": Audit(threat, limit=audited)}


def table(
    title: str, data: str, rows: Mapping[str, Run], columns: Mapping[str, Column], lines: Lines, eps: str | None = None
) -> Table:
    """Return a table of networks on one data set, with the lines that the paper prints of these rows."""
    known = {row: line for row, line in lines.items() if row in rows}
    return Table(
        f"{title}, {NAMES[data]}, L-inf {eps or EPS[data]}", rows, columns, published=printed(known, columns),
        varied=ROWS_DIFFER, scales=scales(data),
    )  # fmt: skip


def on_cifar(title: str, rows: Mapping[str, Run], audited: int = 500) -> Table:
    """Return Table 3 on CIFAR-10, with the printed numbers beside each reading of n1 and n2."""
    lines = TABLE_3["cifar10"]
    again = {f"{name}(4,{n2})-Adv": lines[f"{name}(10,{header})-Adv"]
             for name, n2, header in (("SIM", 20, 20), ("BIM", 10, 30), ("Madry", 10, 30))}  # fmt: skip
    shown = table(title, "cifar10", rows, columns("cifar10", audited), {**lines, **again})
    return replace(shown, notes=(TWO_READINGS,))


def dial(title: str, data: str, rows: Mapping[str, Run], columns: Mapping[str, Column], axis: str) -> Table:
    """Return a figure of accuracies against what the rows are called."""
    return replace(table(title, data, rows, columns, {}), varied=(), shown_as="sweep", axis=axis)


def two_rates(title: str, data: str, row: str, method: Method, budget: tuple[int, int]) -> Table:
    """Return Table 1 or 4 on one data set: a method at the paper's two learning rates, e^-3 first."""
    rows, columns = by_rate(data, row, method), attacks(THREATS[data], *budget)
    numbers = (TABLE_1 if isinstance(method, ATDA) else TABLE_4)[data]
    return replace(
        table(f"{title} at two learning rates", data, rows, columns, dict(zip(rows, numbers, strict=True))),
        varied=("optimizer",),
        scales=scales(data, own_rates=True),
    )


def times(data: str, rows: Mapping[str, Run]) -> Table:
    """Return Table 5 on one data set: seconds of the whole training, on another machine than the paper's."""
    timed = ("Free-Adv (m=10)", "ATDA", "SIM(10,20)-Adv", "BIM(10,30)-Adv")
    lines: Lines = {row: (seconds,) for row, seconds in zip(timed, TABLE_5[data], strict=True)}
    return table("Table 5: training time", data, rows, {"seconds": Seconds("run"), "clean": None}, lines)


def weights(data: str) -> Table:
    """Return Figure 2 on one data set."""
    title = "Figure 2: weight of the domain losses"
    return dial(title, data, by_weight(data), by_steps(THREATS[data], 30, 30), "lambda")


def reaches(data: str) -> Table:
    """Return Figure 7 on one data set; what tests it is not printed, here it is Table 3's attacks."""
    title = "Figure 7: Madry(n1,30)-Adv from over- to under-perturbation"
    return dial(title, data, by_reach(data), by_steps(THREATS[data], *TESTED[data]), "n1")


def deeper(rows: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs with ResNet-18, to which the paper's accuracies on CIFAR-10 point."""
    return {row: replace(run, model="resnet-18") for row, run in rows.items()}


FOUR = {"clean": None, **attacks(Linf(4 / 255), *TESTED["cifar10"])}
PAPER = Paper(
    name="sim",
    title="Using single-step adversarial training to defend iterative adversarial examples",
    scales=scales("mnist"),
    left_out={"Table 2": "it lists settings", **dict.fromkeys(("Figure 5", "Figure 6", "Figure 8"), "a drawing")},
    tables={
        "1": two_rates("Table 1: ATDA", "mnist", "ATDA", ATDA(FGSM(THREATS["mnist"])), (30, 30)),
        "1-fmnist": two_rates(
            "Table 1: ATDA", "fashion-mnist", "ATDA", ATDA(FGSM(THREATS["fashion-mnist"])), (30, 30)
        ),
        "3": table("Table 3", "mnist", MNIST, columns("mnist"), TABLE_3["mnist"]),
        "3-rivals": table("Table 3, our rows: other single-step methods", "mnist", RIVALS, columns("mnist"), {}),
        "3-single-step": table(
            "Table 3: methods of a single step beside BIM-Adv", "mnist", SINGLE_STEP, columns("mnist", 300),
            TABLE_3["mnist"],
        ),
        "3-original": replace(
            table("Table 3, our rows: two methods at their authors' settings", "mnist", as_their_authors(),
                  columns("mnist"), {}),
            varied=(*ROWS_DIFFER, "batch", "schedule"), scales=scales("mnist", own_settings=True),
        ),
        "3-fmnist": table("Table 3", "fashion-mnist", FASHION, columns("fashion-mnist"), TABLE_3["fashion-mnist"]),
        "3-cifar10": on_cifar("Table 3", CIFAR),
        "3-cifar10-resnet18": on_cifar("Table 3 with ResNet-18", deeper(CIFAR)),
        "3-cifar10-single-step": on_cifar("Table 3: methods of a single step beside BIM-Adv", SINGLE_STEP_CIFAR, 300),
        "4": two_rates("Table 4: SIM-Adv", "mnist", "SIM(10,20)-Adv", SIMAdv(THREATS["mnist"], n1=10), (10, 40)),
        "4-fmnist": two_rates(
            "Table 4: SIM-Adv", "fashion-mnist", "SIM(10,20)-Adv", SIMAdv(THREATS["fashion-mnist"], n1=10), (10, 40)
        ),
        "5": times("mnist", MNIST),
        "5-fmnist": times("fashion-mnist", FASHION),
        "5-cifar10": times("cifar10", CIFAR),
        "heuristics": replace(
            table("Our rows: what SIM-Adv's n1 and n2 rest on", "mnist", by_cycle() | by_count(),
                  columns("mnist", 300), {}),
            scales=at_full_length(with_all_steps(
                {**scales("mnist"), "short": replace(scales("mnist")["short"], model=LECUNS)}
            )),
        ),
        "6.2": replace(
            table("Section 6.2: the smaller ball of ATDA's authors", "cifar10", at_four(), FOUR, AT_FOUR, "4/255"),
            notes=("the paper says of FGSM-Adv under Madry: over 49 %",),
        ),
    },
    figures={
        **FIGURES,
        "2": weights("mnist"),
        "2-fmnist": weights("fashion-mnist"),
        "7": reaches("mnist"),
        "7-fmnist": reaches("fashion-mnist"),
    },
)  # fmt: skip
