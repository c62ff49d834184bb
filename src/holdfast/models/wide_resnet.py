"""Wide residual networks (Zagoruyko and Komodakis, 2016) in the PyTorch form that TRADES, MART and AGKD-BML share.

With 10 classes WRN-28-10 has 36,479,194 parameters and WRN-34-10 46,160,474; public TRADES checkpoints also hold a
second copy of the first group, which is never used. Pooling is global: a fixed 8x8 pool on 64x64 images would silently
turn one image into four rows of logits. The options give the other forms in which such networks are published.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import UnknownName, require
from holdfast.models.activations import activation as activation_of
from holdfast.models.convolution import convolution
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.types import Images, Logits

WORDS = {"shortcut": ("activated", "raw"), "strided": ("conv1", "conv2"), "head": ("linear", "cosine")}
"""What may be said of a network's form."""


class WideResNet(nn.Module):
    """The wide residual network of depth 6n + 4 (Zagoruyko and Komodakis, 2016)."""

    layers: ClassVar[dict[str, str]] = {
        "stem": "stem",
        "block1": "block1",
        "block2": "block2",
        "block3": "block3",
        "features": "tail",
        "attention": "tail",
        "penultimate": "pool",
    }

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics | None = None,
        depth: int = 28,
        width: int = 10,
        dropout: float = 0.0,
        activation: str = "relu",
        padding: str = "symmetric",
        shortcut: str = "activated",
        strided: str = "conv1",
        bias: bool = False,
        head: str = "linear",
        widths: str = "",
        counts: str = "",
    ) -> None:
        """`widths` and `counts` ("320-640-512", "5-5-5") are channels and blocks of the groups, if not by the name.

        `shortcut` says what projections see ("activated" or "raw"), `strided` which convolution of a block strides,
        `bias` whether convolutions have one, `padding` ("asymmetric") how strided ones pad, and `head` "cosine" that
        features and the rows of the last layer are brought to length 1.
        """
        super().__init__()
        require(depth >= 10 and depth % 6 == 4, f"depth = {depth}: a WRN has 6n + 4 layers (10, 16, 22, 28, 34, …)")
        require(width >= 1, f"width = {width}: a WRN is at least 1 wide")
        _check_words(shortcut=shortcut, strided=strided, head=head)
        first, second, third = _numbers(widths, "widths") or (16 * width, 32 * width, 64 * width)
        each = _numbers(counts, "counts") or ((depth - 4) // 6,) * 3
        form = _Form(dropout, activation, padding, shortcut == "raw", strided == "conv2", bias)
        self.normalized = cifar_normalized(channels, mean, std)
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=bias)
        self.block1 = _group(16, first, 1, each[0], form)
        self.block2 = _group(first, second, 2, each[1], form)
        self.block3 = _group(second, third, 2, each[2], form)
        self.tail = nn.Sequential(nn.BatchNorm2d(third), activation_of(activation))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(third, classes) if head == "linear" else Cosine(third, classes, bias=False)
        self.apply(_initialise)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        features: Tensor = self.stem(self.normalized(images))
        features = self.tail(self.block3(self.block2(self.block1(features))))
        logits: Tensor = self.linear(self.pool(features))
        return logits


@dataclass(frozen=True)
class _Form:
    """What the blocks of one network have in common."""

    dropout: float
    activation: str
    padding: str
    raw: bool
    strides_second: bool
    bias: bool


class _Block(nn.Module):
    """Two activated convolutions beside a shortcut; the shortcut is raw, or projects the activated input."""

    def __init__(self, inputs: int, outputs: int, stride: int, form: _Form) -> None:
        super().__init__()
        first, second = (1, stride) if form.strides_second else (stride, 1)
        self.raw = form.raw
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, first, form.padding, form.bias)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.dropout = nn.Dropout(form.dropout)
        self.conv2 = convolution(outputs, outputs, second, form.padding, form.bias)
        # By channels alone: with width 1 the first group has no projection.
        changes = inputs != outputs or stride != 1
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=form.bias) if changes else None
        self.relu = activation_of(form.activation)

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.norm1(features))
        kept: Tensor = features if self.shortcut is None else self.shortcut(features if self.raw else active)
        change: Tensor = self.conv2(self.dropout(self.relu(self.norm2(self.conv1(active)))))
        return kept + change


class Cosine(nn.Linear):
    """A linear layer on features of length 1, with weights of length 1 for each class (Pang et al., 2020)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name)
        """Return the cosines."""
        return F.linear(F.normalize(input), F.normalize(self.weight), self.bias)


def _group(inputs: int, outputs: int, stride: int, count: int, form: _Form) -> nn.Sequential:
    first = _Block(inputs, outputs, stride, form)
    return nn.Sequential(first, *[_Block(outputs, outputs, 1, form) for _ in range(count - 1)])


def _check_words(**said: str) -> None:
    """Refuse words of the form that are not known."""
    for word, value in said.items():
        if value not in WORDS[word]:
            raise UnknownName(word, value, WORDS[word])


def _numbers(words: str, what: str) -> tuple[int, ...]:
    """Return the three numbers in words like 320-640-512; none where nothing is said."""
    numbers = tuple(int(word) for word in words.split("-") if word.isdecimal())
    good = not words or (len(numbers) == 3 == len(words.split("-")) and min(numbers) >= 1)
    require(good, f"{what} = '{words}': give one number for each of the three groups, as 320-640-512")
    return numbers


def _initialise(module: nn.Module) -> None:
    """Draw convolutions from N(0, 2 / (kernel area x outputs)); the linear layer keeps the framework's weights."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
