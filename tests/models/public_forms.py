"""The forward passes of published networks from their own tensors and names, written once more and apart from holdfast.

Each `Form` gives random tensors under the names of one public source, at tiny widths, and what its network answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
CLASSES = 4
CHANNELS = 3
IMAGES = torch.rand(3, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(1))


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> State:
    """Draw tensors of these names; variances and scales of batch norms are above 0."""
    draw = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        values = torch.rand(shape, generator=draw)
        positive = name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1)
        count = torch.zeros((), dtype=torch.int64)
        state[name] = count if name.endswith("tracked") else values + 0.5 if positive else (values - 0.4) * 0.6
    return state


def norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    """Return the five tensors of a batch norm."""
    words = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{word}": (channels,) for word in words} | {f"{name}.num_batches_tracked": ()}


def norm(state: State, name: str, x: Tensor) -> Tensor:
    """Return what a batch norm at rest answers."""
    mean, variance, weight, bias = (
        state[f"{name}.{word}"][:, None, None] for word in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


def conv(state: State, name: str, x: Tensor, stride: int, same: bool = False) -> Tensor:
    """Return a convolution; `same` pads as TensorFlow does, else all sides alike."""
    weight = state[name if name in state else f"{name}.weight"]
    size = weight.shape[-1]
    if size == 1:
        return F.conv2d(x, weight, state.get(f"{name}.bias"), stride)
    if same and stride == 2:
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, None, 2)
    return F.conv2d(x, weight, state.get(f"{name}.bias"), stride, padding=1)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    """Return a linear layer of the pooled features."""
    return x.mean((2, 3)) @ state[f"{name}.weight"].T + state[f"{name}.bias"]


@dataclass(frozen=True)
class Wide:
    """A wide residual network of one block a group, under the names of one source."""

    stem: str
    block: str
    parts: tuple[str, str, str, str]
    shortcut: str
    tail: str
    head: str
    ending: str = ".weight"
    activation: Callable[[Tensor], Tensor] = F.relu
    same: bool = False
    raw: bool = False
    strides: str = "first"
    bias: bool = False
    widths: tuple[int, int, int] = (16, 32, 64)
    cosine: bool = False

    def places(self) -> list[tuple[str, int, int, int]]:
        """Return the name of each block, its inputs, outputs and stride."""
        inputs, outputs = (16, *self.widths[:2]), self.widths
        return [(self.block.format(g=g + 1, z=g), inputs[g], outputs[g], 1 if g == 0 else 2) for g in range(3)]

    def state(self) -> State:
        """Return random tensors."""
        shapes: dict[str, tuple[int, ...]] = {f"{self.stem}{self.ending}": (16, CHANNELS, 3, 3)}
        shapes |= {f"{self.stem}.bias": (16,)} if self.bias else {}
        for name, inputs, outputs, stride in self.places():
            first, one, second, two = (f"{name}.{part}" for part in self.parts)
            shapes |= norm_shapes(first, inputs) | {f"{one}{self.ending}": (outputs, inputs, 3, 3)}
            shapes |= norm_shapes(second, outputs) | {f"{two}{self.ending}": (outputs, outputs, 3, 3)}
            shapes |= {f"{one}.bias": (outputs,), f"{two}.bias": (outputs,)} if self.bias else {}
            if inputs != outputs or stride != 1:
                shapes |= {f"{name}.{self.shortcut}{self.ending}": (outputs, inputs, 1, 1)}
                shapes |= {f"{name}.{self.shortcut}.bias": (outputs,)} if self.bias else {}
        shapes |= norm_shapes(self.tail, self.widths[-1]) | {f"{self.head}.weight": (CLASSES, self.widths[-1])}
        return drawn(shapes | ({} if self.cosine else {f"{self.head}.bias": (CLASSES,)}))

    def __call__(self, state: State, x: Tensor) -> Tensor:
        """Return the logits."""
        x = conv(state, self.stem, x, 1)
        for name, inputs, outputs, stride in self.places():
            first, one, second, two = (f"{name}.{part}" for part in self.parts)
            a = self.activation(norm(state, first, x))
            early, late = (stride, 1) if self.strides == "first" else (1, stride)
            h = conv(state, one, a, early, self.same)
            h = conv(state, two, self.activation(norm(state, second, h)), late, self.same)
            changes = inputs != outputs or stride != 1
            x = h + (conv(state, f"{name}.{self.shortcut}", x if self.raw else a, stride) if changes else x)
        x = self.activation(norm(state, self.tail, x))
        if self.cosine:
            return F.normalize(x.mean((2, 3))) @ F.normalize(state[f"{self.head}.weight"]).T
        return linear(state, self.head, x)


TRADES = Wide("conv1", "block{g}.layer.0", ("bn1", "conv1", "bn2", "conv2"), "convShortcut", "bn1", "fc")
SOFTPLUS = Wide(
    *(getattr(TRADES, word) for word in ("stem", "block", "parts", "shortcut", "tail", "head")), activation=F.softplus
)
PANG = Wide("conv1", "block{g}.layer.0", ("bn1", "conv1", "bn2", "conv2"), "convShortcut", "bn1", "fc", cosine=True)
DEEPMIND = Wide(
    "init_conv", "layer.{z}.block.0", ("batchnorm_0", "conv_0", "batchnorm_1", "conv_1"), "shortcut", "batchnorm",
    "logits", activation=F.silu, same=True,
)  # fmt: skip
HUANG_2021 = Wide(
    "stem_conv",
    "blocks.{z}.layer.0",
    ("bn1", "conv1", "bn2", "conv2"),
    "convShortcut",
    "bn1",
    "fc",
    widths=(20, 40, 24),
)
HUANG_2022 = Wide(
    "stem_conv", "blocks.{z}.layer.0", ("bn1", "conv1", "bn2", "conv2"), "shortcut.0", "norm1", "fc",
    activation=F.silu, widths=(16, 28, 24),
)  # fmt: skip
LEE = Wide(
    "conv1", "layer{g}.0", ("bn1", "conv1", "bn2", "conv2"), "shortcut.0", "bn1", "linear",
    raw=True, strides="second", bias=True, widths=(32, 64, 128),
)  # fmt: skip
ZAGORUYKO = Wide("conv0", "group{z}.block0", ("bn0", "conv0", "bn1", "conv1"), "convdim", "bn", "fc", ending="")


@dataclass(frozen=True)
class PreAct:
    """A pre-activation ResNet-18 of width 8, under the names of one source."""

    raw: bool
    tail: str = "bn"
    deepmind: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def places(self) -> list[tuple[str, int, int, int]]:
        """Return the name of each block, its inputs, outputs and stride."""
        layer = "layer_{}" if self.deepmind else "layer{}"
        start = 0 if self.deepmind else 1
        sizes = [(8, 8, 1), (8, 16, 2), (16, 32, 2), (32, 64, 2)]
        return [
            each
            for stage, (inputs, outputs, stride) in enumerate(sizes, start)
            for each in [
                (f"{layer.format(stage)}.0", inputs, outputs, stride),
                (f"{layer.format(stage)}.1", outputs, outputs, 1),
            ]
        ]

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Return what norms and convolutions are called."""
        words = ("batchnorm_0", "conv_2d_1", "batchnorm_1", "conv_2d_2")
        return words if self.deepmind else ("bn1", "conv1", "bn2", "conv2")

    @property
    def ends(self) -> tuple[str, str, str]:
        """Return what the stem, the shortcut and the last layer are called."""
        return ("conv_2d", "shortcut", "logits") if self.deepmind else ("conv1", "shortcut.0", "linear")

    def state(self) -> State:
        """Return random tensors."""
        stem, shortcut, head = self.ends
        shapes: dict[str, tuple[int, ...]] = {f"{stem}.weight": (8, CHANNELS, 3, 3)}
        for name, inputs, outputs, stride in self.places():
            first, one, second, two = (f"{name}.{part}" for part in self.parts)
            shapes |= norm_shapes(first, inputs) | {f"{one}.weight": (outputs, inputs, 3, 3)}
            shapes |= norm_shapes(second, outputs) | {f"{two}.weight": (outputs, outputs, 3, 3)}
            size = 3 if self.deepmind else 1
            shapes |= {f"{name}.{shortcut}.weight": (outputs, inputs, size, size)} if stride == 2 else {}
        shapes |= norm_shapes(self.tail, 64) if self.tail else {}
        return drawn(shapes | {f"{head}.weight": (CLASSES, 64), f"{head}.bias": (CLASSES,)})

    def __call__(self, state: State, x: Tensor) -> Tensor:
        """Return the logits."""
        stem, shortcut, head = self.ends
        act = F.silu if self.deepmind else F.relu
        x = conv(state, stem, x, 1)
        for name, _, _, stride in self.places():
            first, one, second, two = (f"{name}.{part}" for part in self.parts)
            a = act(norm(state, first, x))
            h = conv(state, one, a, stride, self.deepmind)
            h = conv(state, two, act(norm(state, second, h)), 1)
            given = x if self.raw else a
            x = h + (conv(state, f"{name}.{shortcut}", given, stride, self.deepmind) if stride == 2 else x)
        return linear(state, head, act(norm(state, self.tail, x)) if self.tail else x)


@dataclass(frozen=True)
class Residual:
    """A ResNet for CIFAR of width 4: of 50 layers as Engstrom et al. publish it, or of 18."""

    bottlenecks: bool
    shortcut: str = "shortcut"
    head: str = "linear"
    pooled: bool = False

    def places(self) -> list[tuple[str, int, int, int]]:
        """Return the name of each block, its inputs, outputs and stride."""
        times, counts = (4, (3, 4, 6, 3)) if self.bottlenecks else (1, (2, 2, 2, 2))
        found, inputs = [], 4
        for stage, count in enumerate(counts):
            for place in range(count):
                outputs = 4 * times * 2**stage
                found.append((f"layer{stage + 1}.{place}", inputs, outputs, 2 if stage and not place else 1))
                inputs = outputs
        return found

    def state(self) -> State:
        """Return random tensors."""
        shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (4, CHANNELS, 3, 3)} | norm_shapes("bn1", 4)
        for name, inputs, outputs, stride in self.places():
            inner = outputs // 4
            sizes = [(inner, inputs, 1, 1), (inner, inner, 3, 3), (outputs, inner, 1, 1)]
            sizes = sizes if self.bottlenecks else [(outputs, inputs, 3, 3), (outputs, outputs, 3, 3)]
            for number, size in enumerate(sizes, 1):
                shapes |= {f"{name}.conv{number}.weight": size} | norm_shapes(f"{name}.bn{number}", size[0])
            if stride != 1 or inputs != outputs:
                shapes |= {f"{name}.{self.shortcut}.0.weight": (outputs, inputs, 1, 1)}
                shapes |= norm_shapes(f"{name}.{self.shortcut}.1", outputs)
        last = self.places()[-1][2]
        return drawn(shapes | {f"{self.head}.weight": (CLASSES, last), f"{self.head}.bias": (CLASSES,)})

    def __call__(self, state: State, x: Tensor) -> Tensor:
        """Return the logits."""
        x = F.relu(norm(state, "bn1", conv(state, "conv1", x, 1)))
        x = F.max_pool2d(x, 3, 2, padding=1) if self.pooled else x
        for name, inputs, outputs, stride in self.places():
            kept = x
            if stride != 1 or inputs != outputs:
                kept = norm(state, f"{name}.{self.shortcut}.1", conv(state, f"{name}.{self.shortcut}.0", x, stride))
            strides = (1, stride, 1) if self.bottlenecks else (stride, 1)
            for number, each in enumerate(strides, 1):
                x = norm(state, f"{name}.bn{number}", conv(state, f"{name}.conv{number}", x, each))
                x = F.relu(x + kept if number == len(strides) else x)
        return linear(state, self.head, x)


def wong_kolter(state: State, x: Tensor) -> Tensor:
    """Return the logits of nn.Sequential(conv, ReLU, conv, ReLU, Flatten, linear, ReLU, linear)."""
    x = F.relu(F.conv2d(x, state["0.weight"], state["0.bias"], stride=2, padding=1))
    x = F.relu(F.conv2d(x, state["2.weight"], state["2.bias"], stride=2, padding=1)).flatten(1)
    x = F.relu(x @ state["5.weight"].T + state["5.bias"])
    return x @ state["7.weight"].T + state["7.bias"]


def wong_kolter_state(channels: int = 1, side: int = 8) -> State:
    """Return random tensors of that network."""
    flat = 32 * (side // 4) ** 2
    shapes = {"0": (16, channels, 4, 4), "2": (32, 16, 4, 4), "5": (100, flat), "7": (CLASSES, 100)}
    return drawn(
        {
            f"{name}.{word}": each
            for name, size in shapes.items()
            for word, each in (("weight", size), ("bias", size[:1]))
        }
    )
