"""Paper 001: "AGKD-BML: defense against adversarial attack by attention guided knowledge distillation and
bi-directional metric learning" (Wang et al., 2021).

Tables 1 to 9 and the measured figures; Figure 2 is a drawing. The networks stand in agkd_bml_runs.py, the printed
numbers in agkd_bml_printed.py, and what the paper leaves open in docs/papers/agkd-bml.md.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import PGD, SPSA
from holdfast.experiments import Paper, Table, Transfer
from holdfast.experiments.columns import Seconds
from holdfast.experiments.table import Column
from holdfast.papers.agkd_bml_columns import (
    ABLATION,
    ATTACKS,
    AUDIT,
    FGSM,
    NEIGHBOURS,
    ON_SVHN,
    ON_TINY,
    WIDER_ABLATION,
    by_eps,
    by_steps,
    cw,
)
from holdfast.papers.agkd_bml_figures import FIGURES
from holdfast.papers.agkd_bml_printed import (
    DISCUSSION,
    TABLE_1,
    TABLE_1_SVHN,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    TABLE_7,
    TABLE_8,
    TABLE_9,
)
from holdfast.papers.agkd_bml_runs import (
    CIFAR,
    SCALES,
    SVHN,
    SYMMETRIC,
    THREAT,
    TINY,
    at_eps_4,
    beside,
    by_attention,
    by_step,
    early,
    from_teacher,
    pgd,
    rows,
    suppressed,
)
from holdfast.papers.printed import Lines, printed
from holdfast.threats import Linf
from holdfast.training.run import Run

ROWS_DIFFER = ("model", "start", "epochs", "schedule", "options")
NOTES = (
    "FGSM is one full step from a random start, as in the code that the released one comes from; PGD and CW take the "
    "released code's steps of 2/255; so do BIM and MIM, which is our choice",
    "the paper's AA of AT-7 and Bilateral was measured on other networks than the rest of the row, and its CW of the "
    "CAS rows is that of CAS's own code, which sums the margin over a batch",
)

BASELINES = ("UM", "Bilateral", "FS", "AGKD-BML", "AT-7", "SML-7")
ON_MADRY = {
    f"{name}, Madry's network": replace(run, model="madry-wrn-34-10", options=options)
    for (name, run), options in zip(rows(CIFAR, "Bilateral", "SML-7").items(), (SYMMETRIC, ()), strict=True)
}
"""The network that the paper's rows of Bilateral and SML really are of; SML standardises each image."""
CIFAR_ROWS = {
    **rows(CIFAR, *BASELINES),
    **suppressed(CIFAR),
    "AGKD-BML-7": early(CIFAR, 7, 150),
    **rows(CIFAR, "AGKD-BML, as printed"),
    "AGKD-BML, from its teacher": from_teacher(CIFAR),
    **ON_MADRY,
}
ABLATION_ROWS = rows(
    CIFAR, "UM", "AT-7", "SML-7", "BML", "AGKD", "AGKD-BML", "TRADES", "MART", "FS", "Bilateral", "CAT-CE", "CAT-MIX"
)
TWICE = rows(CIFAR, "AT-7", "AGKD", "AGKD-BML")
CUSTOMIZED = {**rows(CIFAR, "CAT-CE", "CAT-MIX"), "AGKD-BML, eps 4": at_eps_4(CIFAR)}
UM = CIFAR_ROWS["UM"]
BLACK_BOX: Mapping[str, Column] = {"black box, PGD-20": Transfer(UM, pgd(20))}
LAST: Mapping[str, Column] = {
    "clean": None,
    "PGD": pgd(20),
    "CW": cw(20),
    "black box, VGG-16": Transfer(replace(UM, model="vgg-16"), pgd(20)),
    "black box, WRN": Transfer(UM, pgd(20)),
    "PGD, eps 4": PGD(Linf(4 / 255), steps=20, step_size=1 / 255),
    **AUDIT,
}
DISCUSSED: Mapping[str, Column] = {
    "FGSM": FGSM,
    "PGD-20": pgd(20),
    "SPSA": SPSA(THREAT),
    **BLACK_BOX,
}
NETWORKS = {"WRN-28-10": "wrn-28-10", "WRN-34-10": "wrn-34-10"}
TEN_STEPS = {
    f"{name}, decay {decay}": early(CIFAR, 10, decay, model) for name, model in NETWORKS.items() for decay in (100, 150)
}


def table(title: str, chosen: Mapping[str, Run], columns: Mapping[str, Column], lines: Lines | None = None) -> Table:
    """Return one of the paper's tables; without printed lines it is ours."""
    return Table(
        title,
        chosen,
        columns,
        seeds=(0,),
        published=printed({row: line for row, line in (lines or {}).items() if row in chosen}, columns),
        varied=ROWS_DIFFER,
        notes=NOTES,
    )


TIMED = rows(CIFAR, "Bilateral", "FS", "AT-7", "SML-7", "AGKD-BML", "FS-2", "Bilateral-4")
TIMES: Mapping[str, Column] = {
    "s an epoch": Seconds("epoch"),
    "PGD-20": pgd(20),
    "s in all": Seconds("run"),
    "clean": None,
    **ABLATION,
    **AUDIT,
}


SHORT_DECAYS = (
    "at scale short the decays at 100 of 105 and 150 of 155 epochs come at 2.86 of 3 and 4.5 of 5: 5 and 10 % of the "
    "run are left after them, where the paper has 5 and 3 %"
)


def noted(shown: Table, note: str) -> Table:
    """Return the table with one note more."""
    return replace(shown, notes=(*shown.notes, note))


def curve(title: str, columns: Mapping[str, Column], axis: str) -> Table:
    """Return accuracies over the strength of an attack."""
    return replace(table(title, rows(CIFAR, "AGKD-BML", "FS", "AT-7"), columns), shown_as="curve", axis=axis)


def gap(title: str) -> Table:
    """Return PGD-20 beside the audit, from the networks and the stored results of Table 2."""
    columns = {"PGD-20": pgd(20), **AUDIT}
    both: Lines = {row: (TABLE_1[row][3], TABLE_1[row][7]) for row in ("UM", "SML-7", "AGKD-BML", "FS")}
    return replace(
        table(title, ABLATION_ROWS, columns, both),
        shown_as="gap",
        notes=(
            "the paper's values are its PGD-20 and its AutoAttack, which the audit stands beside; its AutoAttack of "
            "AT-7 and Bilateral is of other networks, so neither is drawn",
        ),
    )


PAPER = Paper(
    name="agkd-bml",
    title="AGKD-BML: defense against adversarial attack by attention guided knowledge distillation and bi-directional "
    "metric learning",
    scales=SCALES,
    left_out={
        "Figure 1 on ImageNet's classes": "those of CIFAR-10 stand in: the recipe's networks know no others",
        "Figure 2": "a drawing",
    },
    tables={
        "1": table("Table 1: CIFAR-10, L-inf 8/255", CIFAR_ROWS, {**ATTACKS, **AUDIT}, TABLE_1),
        "1-svhn": table(
            "Table 1: SVHN, L-inf 8/255", {**rows(SVHN, *BASELINES), **suppressed(SVHN)}, ON_SVHN, TABLE_1_SVHN
        ),
        "2": table("Table 2: the ablation, and other methods beside it, on CIFAR-10", ABLATION_ROWS,
                   WIDER_ABLATION, TABLE_2),
        "beside": table("Our rows: CAS on AT, and AWP, at the columns of Table 2", beside(CIFAR), WIDER_ABLATION),
        "2-seeds": replace(table("Table 2, our rows: three methods over seeds", TWICE,
                                 {**ABLATION, "clean": None, **AUDIT}, TABLE_2), seeds=(0, 1),
                           scales={**SCALES, "short": replace(SCALES["short"], seeds=(0, 1))}),
        "3": table("Table 3: images made against an undefended network, on CIFAR-10",
                   rows(CIFAR, "AT-7", "FS", "Bilateral", "SML-7", "AGKD-BML"), BLACK_BOX, TABLE_3),
        "4": table("Table 4: Tiny ImageNet, L-inf 8/255",
                   rows(TINY, "UM", "Bilateral", "FS", "AT-7", "ALP", "SML-7", "AGKD-BML"), ON_TINY, TABLE_4),
        "5": noted(table("Table 5: AGKD-BML-10 by depth and decay, on CIFAR-10", TEN_STEPS,
                         {"AA": ATTACKS["AA"], "clean": None, "PGD-20": pgd(20)}, TABLE_5), SHORT_DECAYS),
        "6": table("Table 6: attention of a class and of none, on CIFAR-10", by_attention(CIFAR),
                   {"PGD-20": pgd(20), "clean": None, **AUDIT, **ABLATION}, TABLE_6),
        "7": table("Table 7: training time, on one V100 in the paper", TIMED, TIMES, TABLE_7),
        "8": noted(table("Table 8: customized adversarial training, on CIFAR-10", CUSTOMIZED, LAST, TABLE_8),
                   "at scales short and smoke a WRN-16-1 makes the images of the column of VGG-16"),
        "9": table("Table 9: nearest neighbours and softmax, CIFAR-10",
                   rows(CIFAR, "AT-7", "ALP", "SML-7", "AGKD-BML"), NEIGHBOURS, TABLE_9["cifar"]),
        "9-svhn": table("Table 9: nearest neighbours and softmax, SVHN",
                        rows(SVHN, "AT-7", "ALP", "SML-7", "AGKD-BML"), NEIGHBOURS, TABLE_9["svhn"]),
        "9-tiny": table("Table 9: nearest neighbours and softmax, Tiny ImageNet",
                        rows(TINY, "AT-7", "ALP", "SML-7", "AGKD-BML"), NEIGHBOURS, TABLE_9["tiny"]),
        "4.5": replace(table("Section 4.5: is it gradient obfuscation?", rows(CIFAR, "AGKD-BML"), DISCUSSED,
                             DISCUSSION),
                       scales={**SCALES, "short": replace(SCALES["short"], test_limit=100)}),
        "step": table("Our rows: the size of the two steps, in 255ths", by_step(CIFAR),
                      {"clean": None, "PGD-20": pgd(20), **AUDIT}),
    },
    figures={
        **FIGURES,
        "gap": gap("Our figure: PGD-20 and the audit (the paper's: AutoAttack)"),
        "5-steps": curve("Figure 5, left: steps of PGD", by_steps(), "steps at L-inf 8/255"),
        "5-eps": curve("Figure 5, right: the size of the ball", by_eps(), "L-inf eps, in 255ths, 20 steps of 2/255"),
    },
)  # fmt: skip
