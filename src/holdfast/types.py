"""Every shape that passes between the parts of holdfast, named once.

n images, c channels, h rows, w columns, k classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

Images = Float32[Tensor, "n c h w"]
"""Pixels in [0, 1], always float32: eps is in these units."""
Labels = Int[Tensor, " n"]
"""The true class of each image, from 0."""
Logits = Float[Tensor, "n k"]
PerImage = Float[Tensor, " n"]
"""One number an image: what every objective, metric and distance returns."""
Flags = Bool[Tensor, " n"]
Index = Int[Tensor, " n"]
"""The position of each image in its data set."""
Rows = Int[Tensor, " rows"]
"""Where in a batch some of its images are."""
Outputs = Float[Tensor, "n ..."]
"""What a network or a named layer returns."""
Targets = Tensor
"""What an objective compares outputs with: labels, logits, features."""

Takes = Literal["labels", "pairs", "anything"]
"""What targets are: one label an image, pairs (true, wanted), or whatever an objective compares with."""

Objective = Callable[[Tensor, Tensor], Tensor]
"""`(outputs, targets) -> one loss an image`; higher is worse for the model."""
Network = nn.Module | Callable[[Tensor], Tensor]
"""Whatever maps images to outputs: a module, or any function that autograd can follow."""
Terms = dict[str, Tensor]
"""The named, weighted terms of a training loss, each a scalar."""


@dataclass(frozen=True)
class View:
    """The crop and flip that each image of a batch was seen through."""

    top: Int[Tensor, " n"]
    left: Int[Tensor, " n"]
    flipped: Bool[Tensor, " n"]


@dataclass(frozen=True)
class Mixture:
    """The second label of each image of a batch whose images are made of two."""

    labels: Labels
    share: PerImage
    """The part of the image that has it."""


@dataclass(frozen=True)
class Batch:
    """Some images of a data set, as the network sees them."""

    images: Images
    labels: Labels
    index: Index
    view: View | None = None
    mixture: Mixture | None = None
