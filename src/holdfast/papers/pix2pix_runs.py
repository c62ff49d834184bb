"""The networks of paper 004 (pix2pix.py): classifiers, purifiers, and classifiers trained on another's attacked images.

What the paper leaves open stands in docs/papers/pix2pix.md.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.attacks import BIM, FGSM, PGD, Attack, FeatureDistortion
from holdfast.data import CropFlip
from holdfast.experiments import Defended, Scale
from holdfast.experiments.defended_row import Row
from holdfast.methods import AT, NRP, Standard, StaticAT
from holdfast.methods.pix2pix import SETTINGS
from holdfast.threats import Linf
from holdfast.training.optimizers import SGD, Adam
from holdfast.training.run import Run
from holdfast.training.schedules import Cosine

LARGE = Linf(16 / 255)
"""The ball that purifiers and AT rows are trained for."""

VGG19 = Run(
    Standard(),
    model="vgg-19",
    data="cifar10",
    epochs=100,
    batch=128,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=5e-4),
    schedule=Cosine(),
    augment=CropFlip(pad=4),
)
CLASSIFIERS = {"VGG16": replace(VGG19, model="vgg-16"), "VGG19": VGG19, "ResNet18": replace(VGG19, model="resnet-18")}

PURIFIER = Run(
    SETTINGS["B3"].using((VGG19,)),
    model="unet-b",
    data="cifar10",
    epochs=200,
    batch=16,
    optimizer=Adam(lr=1e-4),
    augment=CropFlip(pad=0),
    limit=15_000,
    held_out=500,
)
"""The last epoch is kept: the paper's 75.16 is the best of a curve on test images (its Figure 6)."""
PURIFIERS = {
    name: replace(PURIFIER, method=setting.using((VGG19,)), model="unet-a" if name == "A" else "unet-b")
    for name, setting in SETTINGS.items()
}
OF_NRP = replace(PURIFIER, method=NRP().using((CLASSIFIERS["VGG16"],)), model="nrp")


def distortion(eps: float = 16, steps: int = 100, layer: str = "block2") -> FeatureDistortion:
    """Return the attack of algorithm 1 on a classifier's features; its steps and their size are those of NRP's code."""
    return FeatureDistortion(Linf(eps / 255), steps=steps, step_size=0.01, layers=(layer,))


def pgd_as_printed(eps: float, steps: int = 20) -> BIM:
    """Return the paper's PGD: from the image itself, with steps of 0.1 that reach the surface of the ball at once."""
    return BIM(Linf(eps / 255), steps=steps, step_size=0.1)


def pgd(eps: float, steps: int = 20) -> PGD:
    """Return PGD as it is meant: from a random start, with steps of a quarter of the radius."""
    return PGD(Linf(eps / 255), steps=steps, step_size=eps / 255 / 4)


def trained_on(model: Run, attack: Attack) -> Run:
    """Return a classifier that is trained on images attacked on VGG-19."""
    return replace(model, method=StaticAT(VGG19, attack), epochs=50)


AT_FGSM, AT_PGD = FGSM(LARGE), pgd_as_printed(16)


def purified(name: str, *purifiers: Run) -> Defended:
    """Return a classifier behind purifiers."""
    return Defended(CLASSIFIERS[name], purifiers)


def rows_of(name: str) -> dict[str, Row]:
    """Return a classifier by itself, and behind each purifier of the paper's tables."""
    return {
        name: CLASSIFIERS[name],
        f"{name}, NRP": purified(name, OF_NRP),
        f"{name}, ours": purified(name, PURIFIER),
    }


def trained_rows(name: str) -> dict[str, Row]:
    """Return a classifier that is trained on VGG-19's attacked images, by each attack."""
    bare = CLASSIFIERS[name]
    return {f"{name}, AT-FGSM": trained_on(bare, AT_FGSM), f"{name}, AT-PGD": trained_on(bare, AT_PGD)}


ON_ITSELF = {"ResNet18, AT-PGD on itself": replace(CLASSIFIERS["ResNet18"], method=AT(pgd(16, 7)), epochs=50)}
"""Adversarial training as it is meant, beside the paper's."""

SMALLER: Mapping[str, str] = {
    "vgg-16": "vgg-16-16",
    "vgg-19": "vgg-19-16",
    "resnet-18": "wrn-10-1",
    "nrp": "nrp-resg-2",
}
"""What a processor trains in the place of each network; the U-Nets stay."""
SHARES = {**dict.fromkeys(("vgg-16", "vgg-19", "resnet-18"), 0.2), **dict.fromkeys(("unet-a", "unet-b", "nrp"), 0.01)}
SCALES = {
    "short": Scale(share=SHARES, model=SMALLER, limit=15_000, test_limit=500, seeds=(0,), train_steps=5),
    "smoke": Scale(model={**SMALLER, "vgg-16": "vgg-16-2", "vgg-19": "vgg-19-2", "resnet-18": "small-cnn",
                          "unet-a": "nrp-resg-1", "unet-b": "nrp-resg-1", "nrp": "nrp-resg-1"},
                   epochs=1, limit=32, test_limit=10, seeds=(0,), train_steps=1, test_steps=1, batch=16,
                   held_out=8, data="made-up:3x32x32", effort="fast"),
    "full": Scale(),
}  # fmt: skip
