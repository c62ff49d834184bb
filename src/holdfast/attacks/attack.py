"""What every attack is: a frozen value that is called, and leaves no trace on the network it is shown.

An attack file fills in `run`, which reads like its paper. The door below does what is the same for all: it checks what
comes in, puts the network at rest, opens the random streams, and checks what goes out.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeGuard

import torch
from torch import Tensor

from holdfast.attacks.inputs import accepted, check_network
from holdfast.attacks.watched import Watched
from holdfast.errors import BadValue, ModelFault, UsageError, require, shown
from holdfast.fields import check_fields
from holdfast.objectives import Towards, is_correct, of_heads, targets_of, undetected
from holdfast.rng import Stream
from holdfast.storage.modules_behind import modules_behind
from holdfast.threats import L0, L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import Flags, Images, Network, Objective, Outputs, Takes, Targets

LARGEST = 1e18
"""The largest number a field may hold: sums of its square stay numbers of float32."""


@dataclass(frozen=True)
class Attack(ABC):
    """A way to look for images inside a threat that the network gets wrong."""

    threats: ClassVar[tuple[type[Threat], ...]] = (Linf, L2, L1, L0, NormalisedLinf)
    """The norms that the attack is defined for."""
    joint: ClassVar[bool] = False
    """Whether the images of a batch are attacked together, so that what an image becomes depends on its batch."""

    labelled: ClassVar[bool] = False
    """Whether the targets must be labels: whether an image is broken is not to be told from others."""

    gradient_free: ClassVar[bool] = False
    """Whether the attack asks for answers alone and follows no gradient."""

    threat: Threat

    def __post_init__(self) -> None:
        """Refuse fields of another type or out of range, and a norm or targets that the attack is not defined for."""
        names = ", ".join(threat.__name__ for threat in self.threats)
        defined = f"{type(self).__name__} is defined for {names}, not {shown(self.threat)}"
        require(isinstance(self.threat, self.threats), defined)
        check_fields(self, LARGEST)
        paired = self.labelled and targets_of(objective_of(self)) == "pairs"
        words = (
            f"{type(self).__name__}: objective = {objective_of(self)}: it compares with pairs, the attack with labels"
        )
        require(not paired, words)

    @property
    def takes(self) -> Takes:
        """Return what the targets are: what the objective compares with, unless only labels have a meaning."""
        return "labels" if self.labelled else targets_of(objective_of(self))

    @abstractmethod
    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Return the attacked images; `model` is at rest, `start` is inside the ball or None."""

    # The door takes any tensor: it is what refuses those of the wrong type, with a better word than a type checker's.
    def __call__(self, model: Network, images: Tensor, targets: Tensor, start: Tensor | None = None) -> Images:
        """Return one attacked image for each image, inside the threat and inside [0, 1].

        `targets` are what the objective compares with: the true labels, unless the attack says otherwise. `start` is
        where a previous attack stopped. The network's weights, gradients, statistics and mode stay as they are.

        Raises:
            BadImages, BadLabels: the arguments are of the wrong type, shape or range.
            UsageError: the model is no network.
            ModelFault: the network raised, answered NaN or something else than a table, or cannot be differentiated.
        """
        check_network(model)
        images, targets, start = accepted(images, targets, start, self.takes)
        if len(images) == 0:
            return images.clone()
        with at_rest(model), torch.inference_mode(False), torch.enable_grad():
            center, targets = images.detach().clone(), targets.detach().clone()
            start = None if start is None else self.threat.project(start.detach().clone(), center)
            objective = objective_of(self)
            watched = Watched(model, targets, heads=of_heads(objective), alarm=objective is undetected)
            stream = Stream.of(center, seed_of(self), type(self).__name__)
            attacked = self.run(watched, center, targets, start, stream).detach()
            watched.raise_if_invalid(attacked)
            self.verify(attacked, center)
        return attacked

    def showing(self, most: int) -> "Attack":
        """Return the attack with at most so many images, or as many as it is given, shown to the network at once."""
        return self

    def verify(self, attacked: Images, images: Images) -> None:
        """Raise unless the images are inside the threat, in float32; a miss is a fault of the attack."""
        eps = self.threat.eps
        far = self.threat.distance(attacked, images) > eps + 1e-6 * max(1.0, min(eps, 1e6))
        outside = (attacked < 0) | (attacked > 1) | attacked.isnan()
        if bool((far | outside.flatten(1).any(1)).any()):
            raise ModelFault(f"{self} left its ball; this is a fault of the attack, please report it")


class HasObjective(Protocol):
    """An attack that makes a number an image as large as it can."""

    @property
    def objective(self) -> Objective:
        """Return what is climbed."""


class HasSeed(Protocol):
    """An attack that draws random numbers."""

    @property
    def seed(self) -> int:
        """Return the seed that they are drawn from."""


def objective_of(attack: Attack) -> Objective | None:
    """Return what an attack climbs; None where it has no objective."""
    return attack.objective if _climbs(attack) else None


def check_untargeted(attack: Attack | None, where: str) -> None:
    """Refuse an attack towards wanted classes where there are true labels alone: it would make images right.

    Raises:
        UsageError: its objective is `Towards(...)`, or one on pairs (true, wanted).
    """
    wants = attack is not None and (isinstance(objective_of(attack), Towards) or attack.takes == "pairs")
    require(not wants, f"{where} has no wanted classes, and {shown(attack)} goes towards them", UsageError)


def seed_of(attack: Attack) -> int:
    """Return what an attack draws from; 0 where it draws nothing."""
    return attack.seed if _draws(attack) else 0


# isinstance would ask a protocol for tens of microseconds, at each call of an attack.
def _climbs(attack: Attack) -> TypeGuard[HasObjective]:
    return hasattr(attack, "objective")


def _draws(attack: Attack) -> TypeGuard[HasSeed]:
    return hasattr(attack, "seed")


@contextmanager
def at_rest(model: Network) -> Iterator[None]:
    """Put every part of a network in evaluation mode, and each back in its own mode afterwards.

    The parts are looked for behind functions, methods and objects that call them too.
    """
    training = [module for module in modules_behind(model) if getattr(module, "training", False)]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def input_gradient(model: Watched, x: Images, targets: Targets, objective: Objective) -> Tensor:
    """Return the gradient of the objective towards the images, and towards nothing else."""
    x = x.detach().requires_grad_()
    return model.gradient(objective(model(x), targets), x)


def succeeded(objective: Objective, outputs: Outputs, targets: Targets) -> Flags:
    """Say which images are where the attacker wants them; all False where targets are not labels.

    Targets of shape (n, 2) are pairs (true, wanted): any class but the true one will do. A tie is no right answer, so
    the true class is left at a tie, and a wanted one is not reached.
    """
    outputs = outputs[:, 0] if of_heads(objective) and outputs.ndim == 3 else outputs
    if targets.ndim == 2 and targets.shape[1] == 2 and not targets.is_floating_point():
        return ~is_correct(outputs, targets[:, 0])
    if targets.ndim != 1 or targets.is_floating_point() or outputs.ndim != 2:
        return torch.zeros(len(outputs), dtype=torch.bool, device=outputs.device)
    if objective is undetected:
        return ~is_correct(outputs[:, :-1], targets) & (outputs[:, -1] <= 0)
    hit = is_correct(outputs, targets)
    return hit if isinstance(objective, Towards) else ~hit


def with_seed(attack: Attack, seed: int) -> Attack:
    """Return the attack drawing from another seed; the attack itself where it draws nothing."""
    own = seed_of(attack)
    require(own in (0, seed), f"the attack has seed {own} and the cell {seed}: give the seed to the cell alone")
    changes: dict[str, Any] = {"seed": seed} if _draws(attack) else {}
    return replace(attack, **changes)


def full_step(threat: Threat) -> float:
    """Return the size of a step through the ball; an unbounded threat has none."""
    require(threat.eps < float("inf"), f"this attack needs a finite eps, got {threat}")
    return threat.step()


def default_step(step_size: float | None, threat: Threat, steps: int, share: float = 2.5) -> float:
    """Return the step size; where none is given, share * eps / steps, by Madry's rule with a share of 2.5."""
    if step_size is not None:
        return step_size
    if threat.eps == float("inf"):
        raise BadValue("an unbounded threat has no default step size: give step_size")
    return threat.step(share, steps)
