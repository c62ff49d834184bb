"""The tables of paper 002 (cascade.py): networks as rows, attacks as columns, and the numbers that it prints."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan

from holdfast.experiments import Audit, Table, Transfer
from holdfast.experiments.table import Column, Published
from holdfast.papers.cascade_attacks import attack, ours, threat, white_box
from holdfast.papers.cascade_printed import PRINTED
from holdfast.papers.cascade_runs import (
    BANKS,
    EARLY,
    MANY,
    MEANS,
    MNIST,
    MNIST_CHOICES,
    NETS,
    RELEASED,
    SETTLED,
    WHITE_BOX,
    WORDED,
    called,
)
from holdfast.papers.cascade_scales import EARLY_SCALES, LATER_SCALES, MNIST_SCALES, MNIST_SETTLED, NIGHT
from holdfast.training.run import Run

TERMS = ("batch",)
"""A batch is 128 images as the network sees them: 128 of the data, or with a distance 64 and the same 64 attacked."""
VARIED = ("batch", "model", "seed", "start")
"""What differs besides, where networks of several initialisations or depths stand in one table."""
PAIRED = (
    "a batch of the baseline or Kurakin's is 128 different images, one with a distance 64 and the same 64 attacked: in "
    "as many steps it sees half as many images",
)
STARRED = ("*: as the released code trains, whose gradient goes through both embeddings; its bank is of P2*",)


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
MNIST_OURS = {"audit 8": Audit(threat(8), limit=300), **ours(32)}
SIZES = (2, 4, 8, 16)
CIFAR_COLUMNS = white_box(SIZES)
FEW = {name: CIFAR_COLUMNS[name] for name in ("clean", "step_ll 4", "step_ll 16", "iter_ll 4", "iter_ll 16")}
LINES_2 = {row: PRINTED["2"][row.removesuffix(" as released")] for row in WHITE_BOX}


def white(title: str, rows: Mapping[str, Run], lines: Mapping[str, str], notes: Sequence[str] = ()) -> Table:
    """Return a white-box table on CIFAR-10; the paper prints numbers for the rows that have a line."""
    return Table(title, rows, CIFAR_COLUMNS | ours(8), (0,), published=printed(CIFAR_COLUMNS, lines), varied=VARIED,
                 scales=NIGHT, notes=(*PAIRED, *notes))  # fmt: skip


def cascade(title: str, number: str) -> dict[str, Table]:
    """Return a white-box table of cascade networks, with the networks as the paper words them and as released."""
    return {
        f"{number}{suffix}": white(title + words, {row: NETS[row] for row in lines}, lines, notes)
        for mark, suffix, words, notes in FAMILIES
        for lines in [in_family(PRINTED[number], mark)]
    }


def black_box(title: str, number: str, sources: str, attacks: str) -> dict[str, Table]:
    """Return a table of targets (rows) by attacks and the networks that they are made against (columns), at eps 16.

    It comes twice: with the networks as the paper words them, and as released.
    """
    found = {}
    for mark, suffix, words, notes in FAMILIES:
        columns: dict[str, Column] = {
            f"{name} from {source}": Transfer(NETS[source], attack(name, 16))
            for name in attacks.split()
            for source in (called(each, mark) for each in sources.split())
        }
        lines = in_family(PRINTED[number], mark)
        found[f"{number}{suffix}"] = Table(
            title + words, {row: NETS[row] for row in lines}, columns, (0,), published=printed(columns, lines),
            worst=tuple(columns), varied=VARIED, scales=NIGHT, notes=notes,
        )  # fmt: skip
    return found


FAMILIES = ((WORDED, "", "", ()), (RELEASED, "-released", ", as released", STARRED))


def in_family(lines: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return printed lines by what their networks are called in a family."""
    return {called(row, mark): line for row, line in lines.items()}


TABLES = {
    "1": Table(
        "Table 1: MNIST, trained with step_ll", MNIST, MNIST_COLUMNS | MNIST_OURS, (0,),
        published=printed(MNIST_COLUMNS, PRINTED["1"]), varied=TERMS, scales=MNIST_SCALES, notes=PAIRED,
    ),
    "1-choices": Table(
        "Table 1, our rows: what the paper leaves open", MNIST_CHOICES, MNIST_COLUMNS | MNIST_OURS, (0,),
        scales=MNIST_SCALES,
    ),
    "1-settled": Table(
        "Table 1's Pivot: at scale short after the paper's whole pre-training", SETTLED, MNIST_COLUMNS | MNIST_OURS,
        (0,), published=printed(MNIST_COLUMNS, {"Pivot": PRINTED["1"]["Pivot"]}), varied=("schedule",),
        scales=MNIST_SCALES | MNIST_SETTLED, notes=PAIRED,
    ),
    "2": white("Table 2: CIFAR-10, 20 layers", WHITE_BOX, LINES_2),
    "2-early": Table(
        "Table 2, some rows: at scale short with a pre-training as short as the rest", EARLY, white_box((4, 16)), (0,),
        varied=VARIED, scales=EARLY_SCALES, notes=PAIRED,
    ),
    "2-means": replace(white("Table 2, our rows: what a network subtracts", MEANS, {}), varied=("data", "start")),
    "3": Table(
        "Table 3: CIFAR-10, 20 networks", MANY, FEW, tuple(range(20)),
        published=printed(FEW, {row: PRINTED["3"][row.removesuffix(" as released")] for row in MANY}),
        varied=TERMS, scales=LATER_SCALES,
        correlated=tuple((f"step_ll {one}", f"iter_ll {other}") for one in (4, 16) for other in (4, 16)),
    ),
    **black_box("Table 4: CIFAR-10, black box", "4", "B2 K2 P2", "step_FGSM iter_ll iter_FGSM"),
    **cascade("Table 5: CIFAR-10, cascade, 20 layers; B1 and K1 from Table 2", "5"),
    "5-banks": white("Table 5, our rows: images saved from other networks, and ensemble training", BANKS, {}, STARRED),
    **cascade("Table 6: CIFAR-10, cascade, 110 layers", "6"),
    **black_box("Table 7: CIFAR-10, cascade networks, black box", "7", "B2 K2 P2 K2_C P2_C K4_C P4_C",
                "step_FGSM iter_FGSM"),
    **black_box("Table 7, networks of 20 layers alone", "7-20", "B2 K2 P2 K2_C P2_C", "step_FGSM iter_FGSM"),
    **black_box("Table 8: CIFAR-10, one initialisation", "8", "B1 K1 P1", "step_FGSM iter_ll iter_FGSM"),
    **black_box("Table 9: CIFAR-10, the other way round", "9", "B1 K1 P1", "step_FGSM iter_ll iter_FGSM"),
    **black_box("Table 10: CIFAR-10, cascade networks, the other way round", "10",
                "B1 K1_C P1_C K2_C P2_C K3_C P3_C K4_C P4_C", "iter_FGSM"),
}  # fmt: skip
