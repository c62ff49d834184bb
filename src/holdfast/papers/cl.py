"""Paper 000: "Can contrastive learning in embedding space improve adversarial robustness?" (Zhang).

Tables 1, 2 and 4 to 9; Table 3 names the embeddings and is the `layers` of imagenet-resnet-18. The networks stand in
cl_runs.py, the printed numbers in cl_printed.py. What the paper leaves open, what its code does otherwise and which of
its claims hold stands in docs/papers/cl.md.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import CW, FGSM, PGD, DeepFool, DeepFoolCL, Square
from holdfast.experiments import Audit, Paper, SeenAs, Table, Transfer
from holdfast.experiments.defended_row import Row
from holdfast.experiments.scale import Scale
from holdfast.experiments.table import Column
from holdfast.methods import CL
from holdfast.papers.cl_printed import printed
from holdfast.papers.cl_runs import (
    BASE,
    CIFAR,
    CIFAR_SCALES,
    CODED,
    CODED_CIFAR,
    CODED_MNIST,
    CODED_MNIST_SCALES,
    CODED_SCALES,
    EMBEDDING_SCALES,
    EPS_SCALES,
    MNIST,
    MNIST_SCALES,
    NAMES,
    PRINTED,
    by_eps,
    fast,
    related,
    slow,
)
from holdfast.threats import L2, Linf
from holdfast.training.run import Run

DEEPFOOL = DeepFoolCL(steps=20, overshoot=0.02)
PAPERS_COLUMNS: dict[str, Column] = {"Id": None, "FGSM": fast(PRINTED), "PGD": slow(PRINTED), "Deepfool": DEEPFOOL}
OUR_COLUMNS: dict[str, Column] = {
    "PGD-20, step 0.04": PGD(PRINTED, steps=20, step_size=0.04),
    "CW-20": CW(PRINTED, steps=20, step_size=0.04),
}
MNIST_COLUMNS = PAPERS_COLUMNS | OUR_COLUMNS | {"DeepFool, L2 1.5": DeepFool(L2(1.5), steps=20)}
CIFAR_COLUMNS = PAPERS_COLUMNS | OUR_COLUMNS | {"DeepFool, L2 0.25": DeepFool(L2(0.25), steps=20)}
WORST = ("Id", "FGSM", "PGD", *OUR_COLUMNS)
NOTES = (
    "Deepfool is the paper's variant, which clips normalised pixels (DeepFoolCL); the last DeepFool is the correct "
    "one, counting images that need more than the given L2 distance",
    "the worst case is over Id, FGSM, PGD, PGD-20 and CW-20, all at L-inf 0.31",
)
CODED_NOTES = (
    "all attacks but Deepfool are at the code's eps: 0.031 of normalised pixels, about 2/255, cut to [0, 1]",
    "Deepfool is the paper's variant, which clips normalised pixels (DeepFoolCL)",
    "the images of the transfer are made against the undefended network of the first row",
    "the worst case is over Id, FGSM, PGD, CW-20 and Square",
    "TRADES is not as in the code: its attack climbs the divergence, and its PGD takes the steps of the others (0.008; "
    "of twenty steps that a scale makes seven, each is 0.023, as far in all); the code's climbs cross-entropy, with "
    "PGD in steps of 0.031 in a ball of 8/255, both in normalised pixels",
)
RELATED_NOTES = (
    "EAT is trained on one-step images of two undefended networks, not on its own; SAP prunes at random when tested",
    "FGSM and PGD meet SAP, one draw a gradient; the grey box attacks the network without it, and averaged follows the "
    "mean gradient of many draws; each column judges one draw of each image",
    "Erase-and-Restore is a detector: holdfast.defences.EraseAndRestore, judged by detection_report, not by accuracy",
)

EMBEDDINGS = {
    f"ResNet+CL-{name}-FGSM": replace(BASE, method=CL(fast(PRINTED), layer, beta=6.0))
    for name, layer in [
        *((f"Embed-{depth}", f"embedding{depth}") for depth in range(1, 5)),
        ("Embed-5", "penultimate"),  # the same run as in Table 1
        ("Output", "output"),
    ]
}
BETAS = {
    f"ResNet+CL-{beta:g}-FGSM": replace(BASE, method=CL(fast(PRINTED), beta=beta))
    for beta in (0.1, 0.5, 1.0, 3.0, 6.0, 7.0)
}


def table(title: str, rows: Mapping[str, Run], part: str, top: int = 1, names: tuple[str, ...] = NAMES) -> Table:
    """Return one of the paper's tables."""
    mnist = part.startswith("mnist")
    return Table(
        title,
        rows,
        MNIST_COLUMNS if mnist else CIFAR_COLUMNS,
        top=top,
        worst=WORST,
        published=printed(part, names),
        notes=NOTES,
        scales=MNIST_SCALES if mnist else EMBEDDING_SCALES if part == "embeddings" else CIFAR_SCALES,
    )


def beside_others(source: Run) -> dict[str, Column]:
    """Return columns at the code's eps: the paper's, and what it asks for in section 6 or should have asked."""
    return {
        "Id": None,
        "FGSM": fast(CODED),
        "PGD": slow(CODED),
        "Deepfool": DEEPFOOL,
        "CW-20": CW(CODED, steps=20, step_size=0.008),
        "Square": Square(CODED, queries=300),
        "PGD of ResNet": Transfer(source, slow(CODED)),
        "audit": Audit(CODED, limit=200),
    }


def coded(title: str, rows: Mapping[str, Run], part: str, scales: Mapping[str, Scale]) -> Table:
    """Return one of the paper's tables at the settings of its code, with the printed numbers."""
    return Table(
        title,
        rows,
        beside_others(rows["ResNet"]),
        worst=("Id", "FGSM", "PGD", "CW-20", "Square"),
        published=printed(part, NAMES),
        notes=CODED_NOTES,
        scales=scales,
    )


def beside_cl(title: str, rows: Mapping[str, Row], scales: Mapping[str, Scale]) -> Table:
    """Return the systems of section 3 at the settings of the code."""
    columns: dict[str, Column] = {
        "Id": None,
        "FGSM": fast(CODED),
        "PGD": slow(CODED),
        "grey box": SeenAs("bare classifier", slow(CODED)),
        "averaged": SeenAs("averaged", slow(CODED)),
    }
    return Table(title, rows, columns, notes=RELATED_NOTES, scales=scales)


def collapse(title: str, rows: Mapping[str, Run]) -> Table:
    """Return whether CL trains, by its metric and by the eps that it trains at."""
    columns: dict[str, Column] = {
        "Id": None,
        "FGSM, 2/255": FGSM(Linf(2 / 255)),
        "PGD, 2/255": PGD(Linf(2 / 255), steps=20),
    }
    return Table(title, rows, columns, scales=EPS_SCALES)


PAPER = Paper(
    name="cl",
    title="Can contrastive learning in embedding space improve adversarial robustness?",
    scales=CIFAR_SCALES,
    left_out={
        "Table 3": "it names the embeddings: embedding1 to embedding5 and output of imagenet-resnet-18",
        "Erase-and-Restore": "a detector has no accuracy of its own: defences.EraseAndRestore, by detection_report",
        "Baluja and Fischer's generative attack": "no network that makes attacked images is trained here",
        "Feng's rank diminishing": "it is a reason that the paper gives, and no row of its tables",
    },
    tables={
        "1": table("Table 1: Top-1 on CIFAR-10", CIFAR, "cifar"),
        "1-coded": coded("Table 1 as the code runs: Top-1 on CIFAR-10", CODED_CIFAR, "cifar", CODED_SCALES),
        "1-related": beside_cl("Beside CL, on CIFAR-10", related(CODED_CIFAR), CODED_SCALES),
        "2": table("Table 2: Top-1 on MNIST", MNIST, "mnist"),
        "2-coded": coded("Table 2 as the code runs: Top-1 on MNIST", CODED_MNIST, "mnist", CODED_MNIST_SCALES),
        "2-related": beside_cl("Beside CL, on MNIST", related(CODED_MNIST), CODED_MNIST_SCALES),
        "2-eps": collapse("Does CL train? Top-1 on MNIST, CL with FGSM, beta 6", by_eps()),
        "4": table("Table 4: the embedding, on CIFAR-10", EMBEDDINGS, "embeddings", names=tuple(EMBEDDINGS)),
        "5": table("Table 5: the trade-off beta, on CIFAR-10", BETAS, "betas", names=tuple(BETAS)),
        "6": table("Table 6: Top-3 on CIFAR-10", CIFAR, "cifar 3", top=3),
        "7": table("Table 7: Top-5 on CIFAR-10", CIFAR, "cifar 5", top=5),
        "8": table("Table 8: Top-3 on MNIST", MNIST, "mnist 3", top=3),
        "9": table("Table 9: Top-5 on MNIST", MNIST, "mnist 5", top=5),
    },
)
