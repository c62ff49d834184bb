"""Networks from images in [0, 1] to logits, or to images again, by class and by name.

To add one: its file, and its lines here. Tests enrol what `ARCHITECTURES` lists.
"""

import re
from dataclasses import replace

from torch import nn

from holdfast.errors import UnknownName, require
from holdfast.models.adapt import Adapted, adapt, from_torchvision
from holdfast.models.architecture import Answers, Architecture, Shape, check_answer, check_options
from holdfast.models.cas import suppressed
from holdfast.models.cifar_resnet import CifarResNet
from holdfast.models.digits_net import DigitsNet
from holdfast.models.expectation import expectation
from holdfast.models.features import Features
from holdfast.models.foreign_choices import Undecided
from holdfast.models.foreign_network import Reading, load
from holdfast.models.from_file import from_file
from holdfast.models.hf_network import from_hf
from holdfast.models.imagenet_resnet import ImageNetResNet
from holdfast.models.layers import capture, layer_names
from holdfast.models.lenet import LeNet
from holdfast.models.lenet_5 import LeNet5
from holdfast.models.logarithms import Logarithms, logarithms
from holdfast.models.madry_resnet import MadryResNet
from holdfast.models.magnet_autoencoder import MagNetAutoencoder
from holdfast.models.normalized import Normalized, Standardized
from holdfast.models.nrp import NRP, ResidualNRP
from holdfast.models.onnx_network import from_onnx
from holdfast.models.preact_resnet import PreActResNet
from holdfast.models.preprocessing import Preprocessing
from holdfast.models.preprocessing_by_name import preprocessing_of
from holdfast.models.program import save_program
from holdfast.models.resnet import ResNet
from holdfast.models.robustbench import from_robustbench
from holdfast.models.small_cnn import SmallCNN
from holdfast.models.sml_resnet import SMLResNet
from holdfast.models.straight_through import straight_through
from holdfast.models.suppression import Suppression, WithAuxiliary, labelled
from holdfast.models.thermometer import Thermometer
from holdfast.models.timm_network import from_timm
from holdfast.models.unet import UNetA, UNetB
from holdfast.models.vgg import VGG
from holdfast.models.wide_resnet import WideResNet
from holdfast.models.wong_kolter import WongKolter

__all__ = [
    "ARCHITECTURES",
    "NRP",
    "VGG",
    "Adapted",
    "Architecture",
    "CifarResNet",
    "DigitsNet",
    "Features",
    "ImageNetResNet",
    "LeNet",
    "LeNet5",
    "Logarithms",
    "MadryResNet",
    "MagNetAutoencoder",
    "Normalized",
    "PreActResNet",
    "Preprocessing",
    "Reading",
    "ResNet",
    "ResidualNRP",
    "SMLResNet",
    "SmallCNN",
    "Standardized",
    "Suppression",
    "Thermometer",
    "UNetA",
    "UNetB",
    "Undecided",
    "WideResNet",
    "WithAuxiliary",
    "WongKolter",
    "adapt",
    "answers_of",
    "architecture_of",
    "build",
    "capture",
    "expectation",
    "from_file",
    "from_hf",
    "from_onnx",
    "from_robustbench",
    "from_timm",
    "from_torchvision",
    "labelled",
    "layer_names",
    "load",
    "logarithms",
    "preprocessing_of",
    "save_program",
    "straight_through",
]

ARCHITECTURES: dict[str, Architecture] = {
    "cifar-resnet-20": Architecture(CifarResNet, {"depth": 20}),
    "cifar-resnet-110": Architecture(CifarResNet, {"depth": 110}),
    "digits-net": Architecture(DigitsNet),
    "imagenet-resnet-18": Architecture(ImageNetResNet),
    "lenet": Architecture(LeNet),
    "lenet-5": Architecture(LeNet5),
    "madry-wrn-34-10": Architecture(MadryResNet, {"depth": 34, "width": 10}),
    "magnet-autoencoder": Architecture(MagNetAutoencoder, answers="images"),
    "nrp": Architecture(NRP, answers="images"),
    "nrp-resg": Architecture(ResidualNRP, answers="images"),
    "preact-resnet-18": Architecture(PreActResNet),
    "resnet-18": Architecture(ResNet, {"depth": 18}),
    "resnet-18-cas": Architecture(ResNet, {"depth": 18}, suppressed),
    "small-cnn": Architecture(SmallCNN),
    "sml-resnet": Architecture(SMLResNet),
    "unet-a": Architecture(UNetA, answers="images"),
    "unet-b": Architecture(UNetB, answers="images"),
    "vgg-16": Architecture(VGG, {"depth": 16}),
    "vgg-16-cas": Architecture(VGG, {"depth": 16}, suppressed),
    "vgg-19": Architecture(VGG, {"depth": 19}),
    "wong-kolter": Architecture(WongKolter),
    "wrn-28-10": Architecture(WideResNet, {"depth": 28, "width": 10}),
    "wrn-34-10": Architecture(WideResNet, {"depth": 34, "width": 10}),
    "wrn-34-10-cas": Architecture(WideResNet, {"depth": 34, "width": 10}, suppressed),
}
"""What `holdfast list` shows; `build` reads other depths and widths too, and networks made elsewhere."""

_FAMILIES = {
    r"resnet-(?P<depth>\d+)": Architecture(ResNet),
    r"wrn": Architecture(WideResNet),
    r"wrn-(?P<depth>\d+)-(?P<width>\d+)": Architecture(WideResNet),
    r"wrn-(?P<depth>\d+)-(?P<width>\d+)-cas": Architecture(WideResNet, rebuild=suppressed),
    r"madry-wrn-(?P<depth>\d+)-(?P<width>\d+)": Architecture(MadryResNet),
    r"cifar-resnet-(?P<depth>\d+)(-average-(?P<average>\d+))?": Architecture(CifarResNet),
    r"vgg-(?P<depth>\d+)-(?P<width>\d+)": Architecture(VGG),
    r"nrp-(?P<blocks>\d+)": Architecture(NRP, answers="images"),
    r"nrp-resg-(?P<blocks>\d+)": Architecture(ResidualNRP, answers="images"),
}
_LIBRARIES = {"hf": from_hf, "timm": from_timm, "torchvision": from_torchvision}


def build(name: str, shape: Shape, classes: int, **options: object) -> nn.Module:
    """Return the network of this name for images of shape (channels, rows, columns) in [0, 1], with fresh weights.

    Besides those listed: wrn (depth and width by options), wrn-D-K, wrn-D-K-cas, resnet-D, madry-wrn-D-K,
    cifar-resnet-D, cifar-resnet-D-average-N, vgg-D-W (W channels in the first block), nrp-N and nrp-resg-N (N blocks),
    timm:NAME, torchvision:NAME, hf:ORG/NAME and FILE.py:FUNCTION.
    Weights are drawn from torch's global generator. `options` are arguments of the class or function behind the name;
    for classifiers of ours also `normalize`: "none", "symmetric" ([-1, 1]), "per-image", "thermometer" (16 channels
    for each) or one of `normalized.PRESETS` in place of the normalisation that the network comes with.
    """
    require(len(shape) == 3 and min(shape) >= 1, f"shape = {shape}: give (channels, rows, columns), each at least 1")
    require(classes >= 2, f"classes = {classes}: a classifier tells at least 2 apart")
    if ":" in name:
        model = foreign(name, classes, **options)
    else:
        model = _architecture(name).build(name, shape, classes, **options)
    check_answer(model, name, shape, classes, answers_of(name))
    return model


def foreign(name: str, classes: int | None, **options: object) -> nn.Module:
    """Return the network of a name with ":" in it, whatever it answers, with fresh weights unless `pretrained`.

    Without a number of classes a library's network has its own.
    """
    library, _, inside = name.partition(":")
    if ".py:" in name:
        return from_file(name, **options)
    if library not in _LIBRARIES:
        raise UnknownName("model", name, ARCHITECTURES)
    check_options(name, options, ("pretrained", "download"))
    return _LIBRARIES[library](inside, classes, **options)  # type: ignore[arg-type]


def answers_of(name: str) -> Answers:
    """Return what the network of a name answers; every network that is not ours is a classifier."""
    known = architecture_of(name)
    return "logits" if known is None else known.answers


def _architecture(name: str) -> Architecture:
    """Look a name up, or read the depth and width in it."""
    known = architecture_of(name)
    if known is None:
        raise UnknownName("model", name, ARCHITECTURES)
    return known


def architecture_of(name: str) -> Architecture | None:
    """Return the architecture of ours that a name means, with the sizes in it; None for networks made elsewhere."""
    for pattern, family in _FAMILIES.items():
        if found := re.fullmatch(pattern, name):
            said = {word: int(value) for word, value in found.groupdict().items() if value is not None}
            return replace(family, fixed=said)
    return ARCHITECTURES.get(name)
