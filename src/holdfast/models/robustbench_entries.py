"""Networks of RobustBench (Croce et al., 2021) that are asked for most: how each computes, and its accuracies.

After its model zoo and its tables of results at commit 78fcc9e: https://github.com/RobustBench/robustbench. Files are
called models/DATA/THREAT/NAME.pt there. The files themselves hold neither activation nor normalisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.framing import Framing


@dataclass(frozen=True)
class Entry:
    """One network: its architecture, how it is read, and its published accuracies in per cent."""

    model: str
    """As `build` takes it."""
    clean: float
    autoattack: float
    lower: float | None = None
    """What a stronger attack left, where one is published."""
    normalize: str = "none"
    options: Mapping[str, str] = field(default_factory=dict)
    """What its tensors do not tell of how it computes."""
    key: str | None = None
    """Where the weights stand in its file, if it holds several."""
    framing: Framing | None = None
    """How pictures become its images; None where they are such images."""
    eps: str | None = None
    """The radius of its accuracies, where it is not the usual one of the threat."""


_RELU: Mapping[str, str] = {"activation": "relu"}
_RAW: Mapping[str, str] = {"shortcut": "raw"}
_ACTIVATED: Mapping[str, str] = {"shortcut": "activated"}
_CROPPED = Framing(256, 224)


def _of_imagenet(
    model: str, clean: float, autoattack: float, framing: Framing = _CROPPED, normalize: str = "imagenet"
) -> Entry:
    return Entry(model, clean, autoattack, None, normalize, framing=framing, eps="4/255")


ENTRIES: Mapping[str, Entry] = {
    "cifar10/Linf/Addepalli2022Efficient_RN18": Entry("resnet-18", 85.71, 52.48),
    "cifar10/Linf/Andriushchenko2020Understanding": Entry("preact-resnet-18", 79.84, 43.93, options=_RAW, key="last"),
    "cifar10/Linf/Bartoldson2024Adversarial_WRN-94-16": Entry("wrn-94-16", 93.68, 73.71, None, "cifar10"),
    "cifar10/Linf/Carmon2019Unlabeled": Entry("wrn-28-10", 89.69, 59.53, options=_RELU),
    "cifar10/Linf/Cui2020Learnable_34_20": Entry("wrn-34-20", 88.70, 53.57, options=_RELU, eps="0.031"),
    "cifar10/Linf/Cui2023Decoupled_WRN-28-10": Entry("wrn-28-10", 92.16, 67.73, None, "cifar10"),
    "cifar10/Linf/Engstrom2019Robustness": Entry("resnet-50", 87.03, 49.25, None, "cifar10-kuangliu"),
    "cifar10/Linf/Gowal2020Uncovering_70_16_extra": Entry("wrn-70-16", 91.10, 65.88, 65.87, "cifar10"),
    "cifar10/Linf/Hendrycks2019Using": Entry("wrn-28-10", 87.11, 54.92, None, "symmetric", _RELU),
    "cifar10/Linf/Rade2021Helper_R18_extra": Entry("preact-resnet-18", 89.02, 57.67, None, "cifar10"),
    "cifar10/Linf/Rade2021Helper_extra": Entry("wrn-34-10", 91.47, 62.83, None, "cifar10"),
    "cifar10/Linf/Rebuffi2021Fixing_70_16_cutmix_extra": Entry("wrn-70-16", 92.23, 66.58, 66.56, "cifar10"),
    "cifar10/Linf/Rebuffi2021Fixing_R18_ddpm": Entry("preact-resnet-18", 83.53, 56.66, None, "cifar10"),
    "cifar10/Linf/Rice2020Overfitting": Entry("wrn-34-20", 85.34, 53.42, None, "cifar10", _RELU),
    "cifar10/Linf/Sehwag2021Proxy_R18": Entry("resnet-18", 84.59, 55.54),
    "cifar10/Linf/Standard": Entry("wrn-28-10", 94.78, 0.0, options=_RELU),
    "cifar10/Linf/Wang2020Improving": Entry("wrn-28-10", 87.50, 56.29, options=_RELU),
    "cifar10/Linf/Wang2023Better_WRN-28-10": Entry("wrn-28-10", 92.44, 67.31, None, "cifar10"),
    "cifar10/Linf/Wang2023Better_WRN-70-16": Entry("wrn-70-16", 93.25, 70.69, None, "cifar10"),
    "cifar10/Linf/Wong2020Fast": Entry("preact-resnet-18", 83.34, 43.21, None, "cifar10", _RAW),
    "cifar10/Linf/Wu2020Adversarial": Entry("wrn-34-10", 85.36, 56.17, options=_RELU),
    "cifar10/Linf/Zhang2019Theoretically": Entry("wrn-34-10", 84.92, 53.08, options=_RELU, eps="0.031"),
    "cifar10/L2/Rebuffi2021Fixing_R18_cutmix_ddpm": Entry("preact-resnet-18", 90.33, 75.86, None, "cifar10"),
    "cifar10/L2/Rice2020Overfitting": Entry("preact-resnet-18", 88.67, 67.68, None, "cifar10", _ACTIVATED),
    "cifar100/Linf/Wang2023Better_WRN-28-10": Entry("wrn-28-10", 72.58, 38.83, 38.77, "cifar100"),
    "imagenet/Linf/Chen2024Data_WRN_50_2": _of_imagenet("torchvision:wide_resnet50_2", 68.76, 40.60, normalize="none"),
    "imagenet/Linf/Engstrom2019Robustness": _of_imagenet("torchvision:resnet50", 62.56, 29.22),
    "imagenet/Linf/Liu2023Comprehensive_ConvNeXt-B": _of_imagenet(
        "timm:convnext_base", 76.02, 55.82, Framing(256, 224, "bicubic")
    ),
    "imagenet/Linf/Mo2022When_ViT-B": _of_imagenet("timm:vit_base_patch16_224", 68.38, 34.40, Framing((224, 224))),
    "imagenet/Linf/Salman2020Do_50_2": _of_imagenet("torchvision:wide_resnet50_2", 68.46, 38.14),
    "imagenet/Linf/Salman2020Do_R18": _of_imagenet("torchvision:resnet18", 52.92, 25.32),
    "imagenet/Linf/Salman2020Do_R50": _of_imagenet("torchvision:resnet50", 64.02, 34.96),
    "imagenet/Linf/Wong2020Fast": _of_imagenet("torchvision:resnet50", 55.62, 26.24, Framing(crop=288)),
}
"""By DATA/THREAT/NAME."""
EPS: Mapping[str, str] = {"Linf": "8/255", "L2": "0.5"}
"""At which radius the accuracies of a threat are published, but for those that have one of their own."""
