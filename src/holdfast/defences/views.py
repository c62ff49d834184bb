"""How an attacker may see a defended network: the ways of attacking it, from knowing nothing of the defence to all.

Tramèr et al.: "On adaptive attacks to adversarial example defenses" (2020); Athalye et al.: "Obfuscated gradients give
a false sense of security" (2018): backward pass differentiable approximation, and expectation over transformation.
"""

from typing import Any

from torch import nn

from holdfast.defences.defence import Purifier, Step
from holdfast.defences.exchange import exchanged, exchanged_in_place
from holdfast.models.expectation import expectation
from holdfast.models.straight_through import straight_through
from holdfast.models.thermometer import Thermometer
from holdfast.types import Network

DRAWS = 20
"""How many answers of a random network are averaged."""
BARE, PLAIN, STRAIGHT, AVERAGED = "bare classifier", "plain gradients", "straight through", "averaged"
PARTLY = "partly straight through"
STEPS = (Step, Purifier, Thermometer)


def steps_of(model: Network) -> tuple[Step | Purifier | Thermometer, ...]:
    """Return the steps of defences inside a network; none where it is a plain function or is not defended."""
    if not isinstance(model, nn.Module):
        return ()
    return tuple(part for part in model.modules() if isinstance(part, STEPS))


def is_random(model: Network) -> bool:
    """Say whether a defence inside a network draws at random."""
    return any(step.random for step in steps_of(model))


def views(model: Network, draws: int = DRAWS) -> dict[str, Network]:
    """Return how a defended network may be seen, by name; all share its weights. An undefended one is seen as it is.

    "bare classifier" knows nothing of the defence (grey box); "plain gradients" differentiates all that is there;
    "straight through" differentiates each step's stand-in; "partly straight through", where some steps have a gradient
    of their own and others none, the stand-ins of the latter; "averaged", where a step is random, follows the mean of
    `draws` answers, through the same stand-ins.
    """
    steps = steps_of(model)
    if not steps or not isinstance(model, nn.Module):
        return {PLAIN: model}
    seen: dict[str, Network] = {}
    if all(step.removable for step in steps):
        seen[BARE] = exchanged(model, STEPS, lambda step: nn.Identity())
    seen[PLAIN] = model
    seen[STRAIGHT] = exchanged(model, STEPS, lambda step: straight_through(step, step.stand_in))
    if len({step.differentiable for step in steps}) == 2:
        seen[PARTLY] = exchanged(model, STEPS, smooth)
    if is_random(model):
        seen[AVERAGED] = expectation(exchanged(model, STEPS, smooth), draws)
    return seen


def smooth(step: Any) -> nn.Module:
    """Return the step, differentiated as its stand-in where it has no gradient of its own; so are steps inside it."""
    if not step.differentiable:
        return straight_through(step, step.stand_in)
    for name, part in step.named_children():  # the step is a copy already
        setattr(step, name, exchanged_in_place(part, STEPS, smooth))
    kept: nn.Module = step
    return kept
