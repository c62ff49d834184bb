"""What a defence at test time is: a frozen value that changes the images, or the network, before an answer is given.

A defended network is a torch module like any other. What a defence does in it is a `Step`, so that whoever attacks the
network can find every step and put something else in its place (views.py).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from holdfast.defences.exchange import exchanged
from holdfast.fields import check_fields
from holdfast.types import Images, Outputs


@dataclass(frozen=True)
class Defence(ABC):
    """A change of the images, in [0, 1], before the classifier sees them, or of activations inside it.

    It draws from torch's global generator.

    The audit uses what it declares: `differentiable`, that its own gradient leads somewhere; `random`, that two calls
    may differ; `stand_in`, what is differentiated in its place.
    """

    differentiable: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse fields of another type or range than the declared one."""
        check_fields(self)

    @abstractmethod
    def __call__(self, images: Images) -> Images:
        """Return what the classifier sees instead of the images."""

    def stand_in(self, images: Outputs) -> Outputs:
        """Return something near what the classifier sees, whose gradient leads somewhere: the images themselves."""
        return images

    def around(self, classifier: nn.Module) -> nn.Module:
        """Return the classifier with this defence."""
        return in_front(Step(self), classifier)


class Step(nn.Module):
    """What a defence does inside a network."""

    removable = True
    """Whether the network works without it."""

    def __init__(self, defence: Defence) -> None:
        super().__init__()
        self.defence = defence
        self.differentiable = defence.differentiable
        self.random = defence.random

    def forward(self, images: Outputs) -> Outputs:
        """Return what follows sees."""
        return self.defence(images)

    def stand_in(self, images: Outputs) -> Outputs:
        """Return what is differentiated in its place."""
        return self.defence.stand_in(images)

    def extra_repr(self) -> str:
        """Return the defence."""
        return repr(self.defence)


class Purifier(nn.Module):
    """A network from images to images as a step in front of a classifier."""

    removable = True
    differentiable = True
    random = False
    names_no_layers = True
    """The layers that have names in a defended network are those of the classifier."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Images) -> Images:
        """Return the purified images."""
        purified: Images = self.network(images)
        return purified

    def stand_in(self, images: Images) -> Images:
        """Return the images: a purifier that does its work returns nearly these."""
        return images


def defend(classifier: nn.Module, *defences: Defence | nn.Module) -> nn.Module:
    """Return a classifier behind defences, the first of which sees the images first; a network among them purifies.

    Weights are shared, not copied, and every network stays in its own mode. The result is at rest where the classifier
    is: a purifier in training mode is then seen through a copy at rest, of the same weights.

        defended = defend(classifier, JPEG(75), purifier)
        audit(defended, images, labels, Linf(8 / 255))      # by the adaptive attacks that the defences declare
    """
    defended = classifier
    for each in reversed(defences):
        if isinstance(each, nn.Module):
            defended = in_front(Purifier(each if classifier.training else _resting(each)), defended)
        else:
            defended = each.around(defended)
    return defended


def in_front(step: Step | Purifier, network: nn.Module) -> nn.Sequential:
    """Return a network behind a step, both containers in the mode of the network."""
    both = nn.Sequential(step, network)
    both.training = step.training = network.training
    return both


def _resting(purifier: nn.Module) -> nn.Module:
    trains = any(part.training for part in purifier.modules())
    return exchanged(purifier, (), lambda part: part).eval() if trains else purifier


def purified(defended: nn.Module, images: Images) -> Images:
    """Return images as the classifier behind defences sees them: through every step that stands before it."""
    while isinstance(defended, nn.Sequential) and len(defended) == 2 and isinstance(defended[0], Step | Purifier):
        images, defended = defended[0](images), defended[1]
    return images
