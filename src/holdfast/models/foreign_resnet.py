"""The forms in which ResNets for CIFAR and the small network of Wong and Kolter are published."""

from holdfast.models.foreign_layouts import Layout, State
from holdfast.models.preact_resnet import PreActResNet
from holdfast.models.resnet import ResNet, depth_of
from holdfast.models.wong_kolter import WongKolter

_LAYER = r"layer(?P<g>\d)\.(?P<i>\d+)\."
_LAYER_0 = r"layer_(?P<z>\d)\.(?P<i>\d+)\."
_OURS = "block{g}.{i}."


def _size(state: State) -> dict[str, object]:
    """Read depth and width off the convolutions."""
    counts = tuple(sum(name.startswith(f"block{g}.") and ".conv1.w" in name for name in state) for g in (1, 2, 3, 4))
    depth = depth_of(counts, "block1.0.conv3.weight" in state)
    known: dict[str, object] = {} if depth is None else {"depth": depth}
    return known | {"width": len(state["stem.0.weight"])}


def _preact(state: State) -> dict[str, object]:
    return {"width": len(state["stem.weight"]), "final_norm": "tail.0.weight" in state}


def _deepmind(state: State) -> dict[str, object]:
    form = {"shortcut": "raw", "shortcut_size": 3, "padding": "asymmetric", "activation": "silu"}
    return {"width": len(state["stem.weight"]), **form}


def _wong_kolter(state: State) -> dict[str, object]:
    return {"width": len(state["block1.0.weight"]), "hidden": len(state["hidden.1.weight"])}


KUANGLIU = Layout(
    "kuangliu/pytorch-cifar, TRADES and MadryLab/robustness",
    ResNet,
    "resnet-{depth}",
    ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "linear.weight"),
    {
        "conv1": "stem.0",
        "bn1": "stem.1",
        _LAYER + "conv(?P<k>[123])": _OURS + "conv{k}",
        _LAYER + "bn(?P<k>[123])": _OURS + "norm{k}",
        _LAYER + r"shortcut\.(?P<k>[01])": _OURS + "shortcut.{k}",
        "linear": "linear",
    },
    determines=_size,
)
TORCHVISION = Layout(
    "torchvision's names in a network for CIFAR",
    ResNet,
    "resnet-{depth}",
    ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight", "fc.weight"),
    {
        "conv1": "stem.0",
        "bn1": "stem.1",
        _LAYER + "conv(?P<k>[123])": _OURS + "conv{k}",
        _LAYER + "bn(?P<k>[123])": _OURS + "norm{k}",
        _LAYER + r"downsample\.(?P<k>[01])": _OURS + "shortcut.{k}",
        "fc": "linear",
    },
    determines=_size,
    leaves_open={"stem": ("plain", "pooled")},
)
PREACT = Layout(
    "kuangliu/pytorch-cifar, Fast-AT and Rice et al. (2020)",
    PreActResNet,
    "preact-resnet-18",
    ("conv1.weight", "layer1.0.bn1.weight", "layer1.0.conv1.weight", "linear.weight"),
    {
        "conv1": "stem",
        _LAYER + "bn(?P<k>[12])": _OURS + "norm{k}",
        _LAYER + "conv(?P<k>[12])": _OURS + "conv{k}",
        _LAYER + r"shortcut\.0": _OURS + "shortcut",
        "bn": "tail.0",
        "linear": "linear",
    },
    determines=_preact,
    leaves_open={"shortcut": ("activated", "raw")},
)
DEEPMIND = Layout(
    "DeepMind (Gowal, Rebuffi) and HAT",
    PreActResNet,
    "preact-resnet-18",
    ("conv_2d.weight", "layer_0.0.conv_2d_1.weight", "logits.weight"),
    {
        "conv_2d": "stem",
        _LAYER_0 + "batchnorm_0": _OURS + "norm1",
        _LAYER_0 + "batchnorm_1": _OURS + "norm2",
        _LAYER_0 + "conv_2d_1": _OURS + "conv1",
        _LAYER_0 + "conv_2d_2": _OURS + "conv2",
        _LAYER_0 + "shortcut": _OURS + "shortcut",
        "batchnorm": "tail.0",
        "logits": "linear",
    },
    determines=_deepmind,
)
WONG_KOLTER = Layout(
    "Wong and Kolter, and Fast-AT on MNIST",
    WongKolter,
    "wong-kolter",
    ("0.weight", "2.weight", "5.weight", "7.weight"),
    {"0": "block1.0", "2": "block2.0", "5": "hidden.1", "7": "linear"},
    determines=_wong_kolter,
)
RESNETS = (KUANGLIU, TORCHVISION, PREACT, DEEPMIND, WONG_KOLTER)
