"""One training run as a value, and the folder that it leaves behind."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from holdfast import models
from holdfast.attacks import Attack
from holdfast.data import Augmentation
from holdfast.data.joined import extra_of
from holdfast.devices import isolated, reseed
from holdfast.errors import require, shown
from holdfast.fields import Interval, check_fields
from holdfast.methods import AWP, Method, Origin, Standard
from holdfast.methods.method import with_inner
from holdfast.rng import number
from holdfast.storage.describe import later
from holdfast.training.averages import Average
from holdfast.training.optimizers import SGD, Optimizer
from holdfast.training.patience import Patience
from holdfast.training.schedules import Constant, Schedule


@dataclass(frozen=True)
class Start:
    """Where a run begins: at the end of another."""

    run: Origin
    """A run of the same network; it is trained first."""
    takes: Literal["weights", "optimizer", "position"] = "weights"
    """Its weights and statistics; with them what its optimizer keeps; with both its place in the schedule, so that
    its batches count as this run's first."""

    def __post_init__(self) -> None:
        """Refuse what is not offered, and an optimizer of other weights than those that are taken."""
        check_fields(self)
        selects = getattr(self.run, "select", None) is not None
        averaged = getattr(self.run, "average", None) is not None
        kept = "averaged, and its optimizer belongs to those before"
        kept = "those of its best epoch, and its optimizer belongs to those of the last" if selects else kept
        alone = self.takes == "weights" or not (selects or averaged)
        require(alone, f"the start's weights are {kept}: take the weights alone")


@dataclass(frozen=True)
class Run(Origin):
    """One training run: everything that its result depends on."""

    method: Method = Standard()
    model: str = "digits-net"
    """A name of `holdfast list models`, timm:NAME, torchvision:NAME, hf:ORG/NAME, or FILE.py:FUNCTION."""
    data: str = "digits"
    """A name of `holdfast list data`, npz:PATH or folder:PATH."""
    epochs: int | None = 10
    """Passes over the training images; None where `steps` counts."""
    batch: int = 128
    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant()
    augment: Augmentation | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    pretrained: bool = False
    """Begin from the architecture's public weights, where it has any."""
    limit: int | None = None
    """Train on this many images only."""
    held_out: int = 0
    """Training images kept back, on which each epoch is measured."""
    select: Attack | Patience | None = None
    """Keep the epoch that holds best under this attack on the images held out, or the one whose clean loss there is
    least, and end when patience does; without it, the last epoch."""
    steps: int | None = later(None)
    """Batches, in place of epochs; the schedule then counts batches too."""
    start: Start | None = later(None)
    """Another run to begin from; fresh or public weights without it."""
    options: tuple[tuple[str, int | float | str], ...] = later(())
    """Arguments of the architecture, by name: normalize symmetric, say, for images in [-1, 1]."""
    optimizers: tuple[tuple[str, Optimizer], ...] = later(())
    """The optimizers of other networks that the method trains, by name; `optimizer` is that of all others."""
    average: Average | None = later(None)
    """The average of the weights that is judged and kept; without it, the weights themselves."""
    extra: str | None = later(None)
    """More images to train on, generated ones say: a name as for `data`; an epoch is as long as without them."""
    extra_share: Annotated[float, Interval(0, 1, "()")] = later(0.7)
    """The part of each batch that is drawn from the extra images."""
    order: Literal["drawn", "stored"] = later("drawn")
    """Whether each epoch draws an order of its own, or all go through the images as they are stored."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        made = isinstance(self.method, Method)
        require(made, f"method = {shown(self.method)}: give one that is made, such as holdfast.methods.AT()")
        named = f"model is a {type(self.model).__name__}: give a name; an architecture of your own is FILE.py:FUNCTION"
        require(isinstance(self.model, str), named)
        check_fields(self)
        length = {"epochs": self.epochs, "steps": self.steps}
        given = {name: value for name, value in length.items() if value is not None}
        require(
            len(given) == 1,
            f"give either epochs or steps, not both or neither (epochs = {self.epochs}, steps = {self.steps})",
        )
        require(min(given.values()) >= 1, f"{', '.join(given)} = {min(given.values())}, not 1 or more")
        require(
            self.start is None or not self.pretrained, "a run begins from public weights or from another run, not both"
        )
        require(self.batch >= 1, f"batch = {self.batch}, not 1 or more")
        require(self.limit is None or self.limit >= 1, f"limit = {self.limit}, not 1 or more")
        require(self.held_out >= 0, f"held_out = {self.held_out}, not 0 or more")
        others = [name for name, _ in self.optimizers]
        require("model" not in others, "optimizers names 'model', whose optimizer is `optimizer`")
        require(len(others) == len(set(others)), f"optimizers names a network twice: {', '.join(others)}")
        check_order(self)
        check_method(self)
        check_batches(self, self.batch)

    def optimizer_of(self, network: str) -> Optimizer:
        """Return the optimizer of one of the networks that the method trains."""
        return dict(self.optimizers).get(network, self.optimizer)

    def batches_of(self, images: int) -> int:
        """Return how many batches a pass over so many images takes."""
        return math.ceil(images / self.batch)

    def steps_on(self, images: int) -> int:
        """Return how many batches the run takes on so many images."""
        return self.steps or (self.epochs or 0) * self.batches_of(images)


def check_order(run: Run) -> None:
    """Refuse an order without shuffling where the same images would always be left out, or treated alike."""
    words = "order = stored beside extra images: most of the run's own would never be shown"
    require(run.order == "drawn" or run.extra is None, words)
    by_place = any(each.by_place for each in with_inner(run.method))
    words = f"{type(run.method).__name__} treats images by their places in a batch, and in the order 'stored' these"
    require(run.order == "drawn" or not by_place, f"{words} would be the same in each epoch")


def check_method(run: Run) -> None:
    """Refuse a method that cannot choose an epoch as asked, or that would lose count of those before it."""
    measured = type(run.method).measure is Method.measure
    words = f"{type(run.method).__name__} has no loss of labels on images held out, by which patience chooses"
    require(measured or not isinstance(run.select, Patience), words)
    warms = any(isinstance(each, AWP) and each.warm_up > 0 for each in with_inner(run.method))
    position = run.start is not None and run.start.takes == "position"
    words = "the warm-up of AWP would begin anew at the position of another run, which can stand for it"
    require(not (warms and position), f"{words}: give warm_up = 0, or take less")


def check_batches(run: Run, images: int) -> None:
    """Refuse a share of each batch that is no image even of the largest; the last of an epoch may be too small for it.

    A share that rounds to nothing would train something else than what it says, without a word.
    """
    for method in with_inner(run.method):
        method.check_batch(images)
    extra = extra_of(run.extra_share, images)
    words = f"extra_share = {run.extra_share} of the largest batch, of {images} images, is {extra}"
    require(run.extra is None or extra > 0, f"{words}: at least one is needed")


def build(run: Run, shape: tuple[int, int, int], classes: int, pretrained: bool = False) -> nn.Module:
    """Return the run's network as it begins, from public weights if `pretrained`."""
    seen = seen_shape(run, shape)
    options: dict[str, object] = {**dict(run.options), **({"pretrained": True} if pretrained else {})}
    with isolated(torch.device("cpu")):
        reseed(torch.device("cpu"), number(run.seed, "weights"))
        return models.build(run.model, seen, classes, **options)


def seen_at_rest(run: Run, images: Tensor) -> Tensor:
    """Return images as the run's network sees them when it is measured: their middle, where it is trained on crops."""
    return images if run.augment is None else run.augment.center(images)


def seen_shape(run: Run, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of the images of a data set as the run's network sees them, cropped."""
    size = run.augment.size if run.augment else None
    return shape[0], size or shape[1], size or shape[2]
