"""Paper 004: "Self-supervised learning for adversarial robustness" (Mezhoudi, 2022), a purifier by Pix2Pix.

Tables 1 to 6 and the measured figures; Figures 1 and 5 are a drawing and samples of the data. The paper attacks bare
classifiers alone: `known` and `4-proper` hold what it leaves out. The networks stand in pix2pix_runs.py.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.analysis import History, PurifiedImages
from holdfast.attacks import FGSM
from holdfast.defences import Noise
from holdfast.experiments import Audit, Defended, Figure, Likeness, Paper, SeenAs, Study, Table, Transfer
from holdfast.experiments.defended_row import Row
from holdfast.experiments.table import Column
from holdfast.papers.pix2pix_printed import TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, TABLE_6
from holdfast.papers.pix2pix_runs import (
    CLASSIFIERS,
    LARGE,
    OF_NRP,
    ON_ITSELF,
    PURIFIER,
    PURIFIERS,
    SCALES,
    VGG19,
    distortion,
    pgd,
    pgd_as_printed,
    purified,
    rows_of,
    trained_rows,
)
from holdfast.papers.printed import Lines, printed
from holdfast.threats import Linf
from holdfast.training.run import Run

NOTES = (
    "FD, FGSM and PGD images are made against the bare VGG19 for every row, as in the paper: an attacker who does not "
    "know the purifier",
    "PGD is the paper's: 20 steps of 0.1, more than the radius, from the image itself",
)
DRAWN = (
    "rows with noise draw at random: a column judges one draw of each image, so its worst case counts what one of many "
    "draws gets wrong; the audit judges the mean of 20 draws"
)


def table(title: str, rows: Mapping[str, Row], columns: Mapping[str, Column], lines: Lines | None = None) -> Table:
    """Return one of the paper's tables; without printed lines it is ours."""
    of_rows = {row: line for row, line in (lines or {}).items() if row in rows}
    return Table(
        title, rows, columns, seeds=(0,), published=printed(of_rows, columns), varied=("model", "epochs"), notes=NOTES
    )


def from_vgg19(*eps: int) -> dict[str, Column]:
    """Return the columns of the paper's FGSM and PGD, made against the bare VGG19."""
    one_step: dict[str, Column] = {f"FGSM {each}": Transfer(VGG19, FGSM(Linf(each / 255))) for each in eps}
    return {**one_step, **{f"PGD {each}": Transfer(VGG19, pgd_as_printed(each)) for each in eps}}


FD: dict[str, Column] = {"FD 16": Transfer(VGG19, distortion())}
TRANSFER: dict[str, Column] = {
    f"{name}, {block}, eps {eps}": Transfer(CLASSIFIERS[name], distortion(eps, layer=block))
    for name in ("VGG16", "VGG19")
    for block in ("block1", "block2")
    for eps in (8, 16)
}
BOTH: Mapping[str, Row] = {
    name: row for each in ("VGG19", "ResNet18") for name, row in {**rows_of(each), **trained_rows(each)}.items()
}
BY_SETTING: Mapping[str, Row] = {
    f"{name}, {setting}": purified(name, run) for name in ("VGG19", "ResNet18") for setting, run in PURIFIERS.items()
}
KNOWN: dict[str, Column] = {
    "clean": None,
    "FD 16": SeenAs("bare classifier", distortion()),
    "grey box": SeenAs("bare classifier", pgd(8)),
    "white box": SeenAs("plain gradients", pgd(8)),
    "BPDA": SeenAs("straight through", pgd(8)),
    "features": SeenAs("plain gradients", distortion(8, steps=20)),
    "audit": Audit(Linf(8 / 255), "fast", limit=200),
}
EOT: dict[str, Column] = {"EOT": SeenAs("averaged", pgd(8))}
WORST = ("clean", "grey box", "white box", "BPDA", "features")
WHO_KNOWS: Mapping[str, Row] = {
    "VGG19": VGG19,
    "VGG19, ours": purified("VGG19", PURIFIER),
    "ResNet18": CLASSIFIERS["ResNet18"],
    "ResNet18, ours": purified("ResNet18", PURIFIER),
}
OTHERS: Mapping[str, Row] = {
    "VGG19, NRP": purified("VGG19", OF_NRP),
    "VGG19, NRP with noise": Defended(VGG19, (Noise(0.05), OF_NRP)),
    "VGG19, ours with noise": Defended(VGG19, (Noise(0.05), PURIFIER)),
    **{f"VGG19, {setting}": purified("VGG19", PURIFIERS[setting]) for setting in ("A", "B1", "B2")},
}
LIKENESS: dict[str, Column] = {
    "PSNR, clean": Likeness("PSNR"),
    "PSNR, FD 16": Likeness("PSNR", distortion()),
    "SSIM, clean": Likeness("SSIM"),
    "SSIM, FD 16": Likeness("SSIM", distortion()),
}
FOUR: Mapping[str, Row] = {
    "ours": purified("ResNet18", PURIFIER),
    "NRP": purified("ResNet18", OF_NRP),
    "AT-PGD": BOTH["ResNet18, AT-PGD"],
}


def curve(title: str, columns: Mapping[str, Column], axis: str) -> Table:
    """Return accuracies of the rows of Figure 4 over the strength of an attack."""
    return replace(table(title, FOUR, columns), shown_as="curve", axis=axis)


def gallery(title: str, purifier: Run) -> Figure:
    """Return images attacked on VGG19, purified, and as they were."""
    study = Study(purified("VGG19", purifier), PurifiedImages(distortion()))
    return Figure(title, {"": {"": study}}, across=1)


PAPER = Paper(
    name="pix2pix",
    title="Self-supervised learning for adversarial robustness",
    scales=SCALES,
    left_out={
        "Figure 1": "a drawing",
        "Figure 2": "the numbers of Table 2 as bars",
        "Figure 5": "images of CIFAR-10",
        "Table 5, VGG16 at 224x224": "it begins at weights of ImageNet that a run would have to download",
    },
    tables={
        "1": table("Table 1: feature distortion, by the network and the block that it distorts", CLASSIFIERS, TRANSFER,
                   TABLE_1),
        "2": table("Table 2: bare classifiers, L-inf 16/255",
                   {name: CLASSIFIERS[name] for name in ("VGG19", "ResNet18")},
                   {"clean": None, **FD, **from_vgg19(16)}, TABLE_2),
        "3": table("Table 3: purifiers under feature distortion, L-inf 16/255",
                   {**rows_of("VGG16"), **rows_of("VGG19"), **rows_of("ResNet18")}, {"clean": None, **FD}, TABLE_3),
        "4": table("Table 4: purifiers and training on VGG19's attacked images", BOTH,
                   {"clean": None, **from_vgg19(8, 16)}, TABLE_4),
        "4-proper": table("Our columns for Table 4: PGD as it is meant, against VGG19 and against each row itself",
                          {**BOTH, **ON_ITSELF},
                          {"clean": None, "PGD 8, VGG19's": Transfer(VGG19, pgd(8)),
                           "PGD 16, VGG19's": Transfer(VGG19, pgd(16)), "PGD 8": pgd(8), "PGD 16": pgd(16)}),
        "5": table("Table 5: classifiers on clean images", CLASSIFIERS, {"clean": None}, TABLE_5),
        "6": table("Table 6: losses of the purifier, under feature distortion, L-inf 16/255", BY_SETTING, FD, TABLE_6),
        "known": replace(table("Our columns: what an attacker knows of the purifier, L-inf 8/255 but for FD", WHO_KNOWS,
                               KNOWN), worst=WORST),
        "known-others": replace(table("The same for other purifiers, and for two that draw at random", OTHERS,
                                      {**KNOWN, **EOT}), worst=(*WORST, "EOT"), notes=(*NOTES, DRAWN)),
        "likeness": table("Our columns: how near to the clean images purifiers bring images",
                          {"VGG19": VGG19, "VGG19, ours": purified("VGG19", PURIFIER)}, LIKENESS),
        "likeness-others": table("The same for other purifiers",
                                 {name: row for name, row in OTHERS.items() if "noise" not in name}, LIKENESS),
    },
    figures={
        "3": gallery("Figure 3: attacked, purified and clean images", PURIFIER),
        "3-nrp": gallery("Our figure: the same images purified by NRP", OF_NRP),
        "4-eps": curve("Figure 4, left: ResNet18 under PGD of VGG19, by the size of the ball",
                       {f"{eps}": Transfer(VGG19, pgd_as_printed(eps)) for eps in (2, 4, 8, 16, 32)},
                       "L-inf eps, in 255ths"),
        "4-steps": curve("Figure 4, right: ResNet18 under PGD of VGG19, by its steps",
                         {f"{steps}": Transfer(VGG19, pgd_as_printed(8, steps)) for steps in (20, 40, 60, 80, 100)},
                         "steps of 0.1 at L-inf 8/255"),
        "6": Figure("Figure 6: the distance and the accuracy of B3 by epoch, on training images held out",
                    {"distance": {"": Study(PURIFIER, History(("perceptual", "pixel")))},
                     "accuracy": {"": Study(PURIFIER, History(("held_out_robust", "held_out_clean")))}},
                    x="epoch", y="value", across=2),
    },
    pictures=FGSM(LARGE),
)  # fmt: skip
"""Figure 2 is Table 2 as bars, which the report draws of every table."""
