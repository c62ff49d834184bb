"""The figures of paper 001 that are no accuracies: where networks look, and where attacked images lie."""

from dataclasses import replace

from holdfast.analysis import AttentionMaps, Embedding
from holdfast.analysis.attention_maps import Kind
from holdfast.experiments import Figure, Study
from holdfast.papers.agkd_bml_runs import CIFAR, SCALES, pgd, rows

ALL_CLASSES = {**SCALES, "smoke": replace(SCALES["smoke"], test_limit=64)}
"""At smoke scale, too, an image of every class is mapped."""
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def maps(title: str, steps: int, *classes: int) -> Figure:
    """Return t-SNE of each class's images under PGD among the clean ones: a row a class, a column a network."""
    networks = rows(CIFAR, "UM", "SML-7", "BML", "AGKD-BML")
    panels = {
        f"{name}, {CLASSES[target]}": {"": Study(run, mapped(steps, target))}
        for target in classes
        for name, run in networks.items()
    }
    attacked = ", ".join(CLASSES[target] for target in classes)
    return Figure(
        f"{title}: {attacked} under PGD-{steps} among clean images", panels, across=len(networks), scales=ALL_CLASSES
    )


def mapped(steps: int, target: int) -> Embedding:
    """Return the map of one class, with the distance and the t-SNE of SML's released code."""
    return Embedding(
        pgd(steps), perplexity=15.0, learning_rate=20.0, iterations=5_000, patience=800,
        target=target, clouds="class", metric="cosine", points=1_000,
    )  # fmt: skip


COLOURS = (
    "a map lies over its image in grey: yellow where it is highest, then orange, red and violet, to blue where it is "
    "lowest; each is stretched by its own lowest and highest value, so that colours of two maps do not compare, and a "
    "map that is the same everywhere is blue",
)
WRONG = "the wrong class is what the attacked image is read as, or, where that is right, the likeliest other one"


def attention(title: str, *names: str, maps: tuple[Kind, ...] = ("sum",), notes: tuple[str, ...] = ()) -> Figure:
    """Return where networks look, in clean and in attacked images."""
    look = AttentionMaps(pgd(20), images=6, maps=maps)
    panels = {name: {"": Study(run, look)} for name, run in rows(CIFAR, *names).items()}
    return Figure(title, panels, across=len(panels), notes=(*COLOURS, *notes))


FIGURES = {
    "1": attention("Figure 1: where an undefended network looks, on CIFAR-10", "UM",
                   maps=("grad-cam true", "grad-cam false", "sum"), notes=(WRONG,)),
    "3": maps("Figure 3", 20, 4, 6),
    "4": attention("Figure 4: where AGKD-BML and AT look", "AGKD-BML", "AT-7"),
    "6": maps("Figure 6", 20, *range(5)),
    "7": maps("Figure 7", 20, *range(5, 10)),
    "8": maps("Figure 8", 100, *range(5)),
    "9": maps("Figure 9", 100, *range(5, 10)),
}  # fmt: skip
