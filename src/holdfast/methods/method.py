"""What a method of training is: a frozen value; model, batch and memory are handed to it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from holdfast.attacks.attack import LARGEST, Attack, at_rest
from holdfast.data import Augmentation, CropFlip, ImageSet
from holdfast.errors import BadValue, UsageError, require
from holdfast.fields import check_fields
from holdfast.methods.memory import Memory
from holdfast.objectives import is_correct
from holdfast.threats import Linf, Threat
from holdfast.types import Batch, Images, Labels, Objective, Outputs, PerImage, Terms


@runtime_checkable
class Update(Protocol):
    """How a step moves the weights of a network that the method trains."""

    def __call__(self, loss: Tensor, network: str = "model") -> None:
        """Go back through `loss` and step."""

    def backward(self, loss: Tensor, network: str = "model", beside: tuple[Tensor, ...] = ()) -> None:
        """Replace the gradients of the network's weights by those of `loss`; in the same pass, find those `beside`."""

    def apply(self, network: str = "model") -> None:
        """Step along the gradients."""


class Origin:
    """A run as a method names it: where another network, or images made with it, come from. Only `Run` is one."""


@runtime_checkable
class Finished(Protocol):
    """The finished runs that a run names, trained before it begins."""

    @property
    def augment(self) -> Augmentation | None:
        """How the run that begins augments its training images."""

    @property
    def count(self) -> int:
        """How many images make an epoch of the run that begins: extra ones lengthen none."""

    def network(self, origin: Origin) -> nn.Module:
        """Return the run's network, at rest, frozen, on the device of this run."""

    def folder(self, origin: Origin) -> Path:
        """Return the run's folder, where what is made from it once for all may be kept."""

    def seen(self, origin: Origin, images: Tensor) -> Tensor:
        """Return images of the data set as the run's network sees them in evaluation: the middle of each."""


@dataclass(frozen=True)
class Method(ABC):
    """A way to train a network; a field anywhere in it may hold a run that has to be finished first."""

    trains: ClassVar[Literal["logits", "images"]] = "logits"
    """What the networks that it trains answer: logits, as classifiers do, or images, as purifiers do."""
    takes_mixtures: ClassVar[bool] = False
    """Whether its loss follows a batch's `mixture`: images made of two, as CutMix makes them, have two labels."""
    example_network: ClassVar[str] = "digits-net"
    """A small network that the method can train: not every method can train every network."""

    def __post_init__(self) -> None:
        """Refuse fields of another type than the declared one, and numbers that no loss can hold."""
        check_fields(self, LARGEST)

    @property
    def by_place(self) -> bool:
        """Whether it treats the images of a batch by their places in it, so that an order has to be drawn."""
        return False

    def check_batch(self, images: int) -> None:  # noqa: B027, most methods take any batch
        """Refuse a largest batch so small that a share of it, named by the method, is none of it or all."""

    def using(self, runs: tuple[Origin, ...]) -> "Method":
        """Return the method with these runs as its teacher, its sources, or whatever it uses other runs for.

        Raises:
            UsageError: it uses none, or not so many.
        """
        raise UsageError(f"{type(self).__name__} uses no other runs, and {len(runs)} are given")

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Return the memory that a run begins with; it is asked again when a run goes on."""
        return Memory()

    def trained(self, model: nn.Module, memory: Memory) -> dict[str, nn.Module]:
        """Return the networks whose weights move, by name."""
        return {"model": model}

    @abstractmethod
    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Train on one batch and return the terms of the loss, for the record."""

    def measure(
        self, model: nn.Module, images: Images, labels: Labels, memory: Memory, attack: Attack | None
    ) -> dict[str, PerImage]:
        """Return named numbers of images held out, the network at rest; "robust", under `attack`, chooses the epoch.

        They are whether each image is right, clean and attacked, unless a method measures something else.
        """
        shown = {"clean": images} if attack is None else {"clean": images, "robust": attack(model, images, labels)}
        return {name: is_correct(predict(model, each), labels).float() for name, each in shown.items()}


@dataclass(frozen=True)
class LossMethod(Method):
    """A method that is one loss a batch."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Return named, weighted terms; their sum is minimised."""

    @final
    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Minimise the sum of the terms."""
        terms = check_terms(self, self.loss(model, batch, memory))
        update(torch.stack(list(terms.values())).sum())
        return terms


Crafted = tuple[Tensor, ...]
"""What is made of a batch before its loss: attacked images, the labels or the partners that go with them."""


@dataclass(frozen=True)
class CraftedMethod(LossMethod):
    """A method that first makes attacked images, and is one loss of these: `AWP` wraps any such."""

    @abstractmethod
    def craft(self, model: nn.Module, batch: Batch, memory: Memory) -> Crafted:
        """Return what the loss is of, as constants; the memory may change here."""

    @abstractmethod
    def weigh(self, model: nn.Module, batch: Batch, memory: Memory, crafted: Crafted) -> Terms:
        """Return named, weighted terms of what was crafted; they may be asked for again with other weights."""

    @final
    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        """Craft, then weigh."""
        return self.weigh(model, batch, memory, self.craft(model, batch, memory))


def with_inner(method: Method) -> Iterator[Method]:
    """Yield a method and those that it wraps."""
    yield method
    for field in fields(method):
        value = getattr(method, field.name)
        if isinstance(value, Method):
            yield from with_inner(value)


def check_linf(threat: Threat, name: str) -> None:
    """Refuse a threat of another norm for a method that steps and clamps pixel by pixel."""
    require(isinstance(threat, Linf), f"{name} is defined for Linf, not {threat}")


def crops_of(augment: Augmentation | None, name: str) -> CropFlip | None:
    """Return a run's crops and flips; refuse what else varies images for a method that follows them in the picture."""
    if augment is None or isinstance(augment, CropFlip):
        return augment
    raise BadValue(f"{name} follows each picture through crops and flips alone, not {type(augment).__name__}")


def mixed(objective: Objective, logits: Tensor, batch: Batch) -> PerImage:
    """Return an objective of the labels; where images are made of two, that of both, as much as each shows of them."""
    own, mixture = objective(logits, batch.labels), batch.mixture
    return own if mixture is None else torch.lerp(own, objective(logits, mixture.labels), mixture.share)


def check_terms(method: Method, terms: Any) -> Terms:
    """Refuse what is not a dict of named scalar tensors."""
    kind = type(method).__name__
    require(isinstance(terms, dict) and bool(terms), f"{kind} returned no dict of named terms")
    for name, term in terms.items():
        scalar = isinstance(term, Tensor) and term.ndim == 0
        require(scalar, f"{kind}: the term '{name}' is not a scalar tensor; is its mean missing?")
        taken = name in ("epoch", "step") or name.startswith("held_out")
        require(not taken, f"{kind}: a term cannot be called '{name}'; the record of a run uses that name")
    checked: Terms = terms
    return checked


@torch.no_grad()
def predict(model: nn.Module, images: Images) -> Outputs:
    """Return the answer of the network at rest, as a constant."""
    with at_rest(model):
        answer: Outputs = model(images)
    return answer
