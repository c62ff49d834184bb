"""The forms in which wide residual networks are published."""

from holdfast.models.foreign_layouts import Layout, State
from holdfast.models.wide_resnet import WideResNet

_ACTIVATIONS = ("relu", "silu", "softplus")
"""What networks with TRADES' names are published with: their tensors are the same."""


def _size(state: State) -> dict[str, object]:
    """Read depth and width off the convolutions, or the widths and counts of the groups where they are irregular."""
    counts = [sum(name.startswith(f"block{group}.") and ".conv1.w" in name for name in state) for group in (1, 2, 3)]
    widths = [len(state[f"block{group}.0.conv1.weight"]) for group in (1, 2, 3)]
    width = max(widths[0] // 16, 1)
    if widths == [16 * width, 32 * width, 64 * width] and len(set(counts)) == 1:
        return {"depth": 6 * counts[0] + 4, "width": width}
    return {"widths": "-".join(map(str, widths)), "counts": "-".join(map(str, counts))}


def _trades(state: State) -> dict[str, object]:
    """Read the size, and from a last layer without bias that it compares directions (Pang et al., 2020)."""
    return _size(state) | ({} if "linear.bias" in state else {"head": "cosine"})


def _deepmind(state: State) -> dict[str, object]:
    return _size(state) | {"padding": "asymmetric", "activation": "silu"}


def _huang(state: State) -> dict[str, object]:
    return _size(state) | {"activation": "silu"}


def _lee(state: State) -> dict[str, object]:
    return _size(state) | {"shortcut": "raw", "strided": "conv2", "bias": True}


_BLOCK = r"block(?P<g>\d)\.layer\.(?P<i>\d+)\."
_BLOCKS = r"blocks\.(?P<z>\d)\.layer\.(?P<i>\d+)\."
_LAYER = r"layer\.(?P<z>\d)\.block\.(?P<i>\d+)\."
_GROUP = r"group(?P<z>\d)\.block(?P<i>\d+)\."
_LEE = r"layer(?P<g>\d)\.(?P<i>\d+)\."
_OURS = "block{g}.{i}."

TRADES = Layout(
    "TRADES and most others",
    WideResNet,
    "wrn-{depth}-{width}",
    ("conv1.weight", "block1.layer.0.conv1.weight", "fc.weight"),
    {
        "conv1": "stem",
        _BLOCK + "bn(?P<k>[12])": _OURS + "norm{k}",
        _BLOCK + "conv(?P<k>[12])": _OURS + "conv{k}",
        _BLOCK + "convShortcut": _OURS + "shortcut",
        "bn1": "tail.0",
        "fc": "linear",
    },
    determines=_trades,
    leaves_open={"activation": _ACTIVATIONS},
)
DEEPMIND = Layout(
    "DeepMind (Gowal, Rebuffi) and Wang et al. (2023)",
    WideResNet,
    "wrn-{depth}-{width}",
    ("init_conv.weight", "layer.0.block.0.conv_0.weight", "logits.weight"),
    {
        "init_conv": "stem",
        _LAYER + "batchnorm_0": _OURS + "norm1",
        _LAYER + "batchnorm_1": _OURS + "norm2",
        _LAYER + "conv_0": _OURS + "conv1",
        _LAYER + "conv_1": _OURS + "conv2",
        _LAYER + "shortcut": _OURS + "shortcut",
        "batchnorm": "tail.0",
        "logits": "linear",
    },
    determines=_deepmind,
)
HUANG_2021 = Layout(
    "Huang et al. (2021)",
    WideResNet,
    "wrn-{depth}-{width}",
    ("stem_conv.weight", "blocks.0.layer.0.conv1.weight", "bn1.weight"),
    {
        "stem_conv": "stem",
        _BLOCKS + "bn(?P<k>[12])": _OURS + "norm{k}",
        _BLOCKS + "conv(?P<k>[12])": _OURS + "conv{k}",
        _BLOCKS + "convShortcut": _OURS + "shortcut",
        "bn1": "tail.0",
        "fc": "linear",
    },
    determines=_size,
)
HUANG_2022 = Layout(
    "Huang et al. (2022)",
    WideResNet,
    "wrn-{depth}-{width}",
    ("stem_conv.weight", "blocks.0.layer.0.conv1.weight", "norm1.weight"),
    {
        "stem_conv": "stem",
        _BLOCKS + "bn(?P<k>[12])": _OURS + "norm{k}",
        _BLOCKS + "conv(?P<k>[12])": _OURS + "conv{k}",
        _BLOCKS + r"shortcut\.0": _OURS + "shortcut",
        "norm1": "tail.0",
        "fc": "linear",
    },
    determines=_huang,
)
LEE = Layout(
    "bmsookim/wide-resnet.pytorch",
    WideResNet,
    "wrn-{depth}-{width}",
    ("conv1.bias", "layer1.0.conv1.bias", "linear.weight"),
    {
        "conv1": "stem",
        _LEE + "bn(?P<k>[12])": _OURS + "norm{k}",
        _LEE + "conv(?P<k>[12])": _OURS + "conv{k}",
        _LEE + r"shortcut\.0": _OURS + "shortcut",
        "bn1": "tail.0",
        "linear": "linear",
    },
    determines=_lee,
)
ZAGORUYKO = Layout(
    "szagoruyko/wide-residual-networks",
    WideResNet,
    "wrn-{depth}-{width}",
    ("conv0", "group0.block0.conv0", "fc.weight"),
    {
        "conv0": "stem",
        _GROUP + "bn0": _OURS + "norm1",
        _GROUP + "bn1": _OURS + "norm2",
        _GROUP + "conv0": _OURS + "conv1",
        _GROUP + "conv1": _OURS + "conv2",
        _GROUP + "convdim": _OURS + "shortcut",
        "bn": "tail.0",
        "fc": "linear",
    },
    determines=_size,
)
WIDE_RESNETS = (TRADES, DEEPMIND, HUANG_2021, HUANG_2022, LEE, ZAGORUYKO)
