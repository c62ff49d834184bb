"""A fast copy of a network for crafting: what it is attacked on, while the network itself judges.

The copy is at rest, its weights ask for no gradients, batch norms are folded into the layers before them, 4-d weights
lie with the channels last. A copy that answers otherwise than the network is not used. Nothing here is timed: the same
network has the same copy at every call. A second copy, in bfloat16, is made where it is asked for.
"""

import copy
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import nn

from holdfast.attacks.attack import at_rest
from holdfast.auditing.surrogate_bfloat16 import InBfloat16
from holdfast.auditing.surrogate_folding import BATCH_NORMS, apply, changes
from holdfast.auditing.surrogate_likeness import EXACT, ROUNDED, Reference, ask, compare
from holdfast.auditing.surrogate_steadiness import generators_restored, why_not_a_function
from holdfast.devices import exact_products
from holdfast.errors import UnknownName, reason
from holdfast.models.memory_format import channels_last
from holdfast.storage.modules_behind import modules_behind
from holdfast.types import Images, Network

COMPARED = 16
"""How many of the images the copy is compared on."""
PRECISIONS = ("float32", "bfloat16")
"""The number formats of the early climbs; everything else is float32."""


@dataclass(frozen=True)
class Surrogate:
    """What to attack instead of a network."""

    network: Network
    """The copy, or the network itself."""
    words: str
    """What was done, or why nothing was."""
    mismatch: float = 0.0
    """The largest difference of its logits from the network's, relative to the spread of those."""
    early: Network | None = None
    """What the early climbs are made on, where that is another copy."""


def known_precision(precision: str) -> str:
    """Return the number format of the early climbs.

    Raises:
        UnknownName: there is no such format.
    """
    if precision not in PRECISIONS:
        raise UnknownName("precision", precision, PRECISIONS)
    return precision


def fast_copy(model: Network, images: Images, precision: str = "float32") -> Surrogate:
    """Return a fast copy of a network, at rest, compared with it on the first of the images.

    The network itself is returned, and the words say why, where it is a function, compiled, random, keeps state, cannot
    be copied or raises, or where the copy answers otherwise. Nothing of the model changes, nor is it called: its copies
    are. With the precision "bfloat16" there is a second copy for the early climbs.
    """
    if not isinstance(model, nn.Module):
        return itself(model, "it is a function")
    if len(images) == 0:
        return itself(model, "there are no images to compare a copy on")
    device = images.device.type
    with (
        generators_restored(),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device, enabled=False),
        exact_products(images.device),
        at_rest(model),
    ):
        try:
            return _fast_copy(model, images.detach().clone(), precision)
        except Exception as fault:  # a stranger's network may raise anything
            return itself(model, f"a copy raises {type(fault).__name__}: {reason(fault)}")


def itself(model: Network, why: str) -> Surrogate:
    """Return the network as its own surrogate."""
    return Surrogate(model, f"the network itself: {why}")


def _fast_copy(model: nn.Module, images: Images, precision: str) -> Surrogate:
    """Return the copy, or the network where a copy is not the same."""
    if any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in model.modules()):
        return itself(model, "it is compiled")
    fast, few = copy.deepcopy(model), images[:COMPARED]
    if shares(fast, model):
        return itself(model, "its copies share parts with it")
    for part in modules_behind(fast):
        part.training = False
    twin = copy.deepcopy(fast)  # what is run, and may keep what it is asked
    if why := why_not_a_function(twin, few):
        return itself(model, why)
    reference, norms = ask(twin, few), sum(type(part) in BATCH_NORMS for part in twin.modules())
    found = changes(twin, few)
    apply(found, fast.requires_grad_(False))
    layout = "channels-last memory format" if channels_last(fast, few) else "default memory format"
    mismatch = compare(ask(fast, few), reference)
    if not mismatch.within(EXACT):
        return itself(
            model, f"a copy differs by {mismatch.logits:.2g} in logits, {mismatch.gradients:.2g} in gradients"
        )
    words = f"a copy in evaluation mode; {len(found.folded)} of {norms} batch norms folded; {layout}"
    copied = Surrogate(fast, words, mismatch.logits)
    return in_bfloat16(copied, reference, few) if precision == "bfloat16" else _saying(copied, "float32")


def shares(twin: nn.Module, model: nn.Module) -> bool:
    """Say whether a change of one would be a change of the other.

    So it is where a network says how it is copied, and where a function holds weights: a copy holds the same function.
    """
    own, others = (_changeable(one) for one in (model, twin))
    return bool(own & others)


def _changeable(network: nn.Module) -> set[int]:
    """Return the ids of a network's parts, and of the weights and buffers of these and of what is behind it.

    What only its classes ask for by name does not count: often that is another thing of the name of an attribute.
    """
    kinds = {kind for part in network.modules() for kind in type(part).__mro__}
    behind = set(modules_behind(network)) - set(modules_behind(kinds))
    tensors = [each for part in behind for each in (*part.parameters(recurse=False), *part.buffers(recurse=False))]
    return {id(each) for each in (*network.modules(), *network.parameters(), *network.buffers(), *tensors)}


def in_bfloat16(surrogate: Surrogate, reference: Reference, images: Images) -> Surrogate:
    """Return the copies with one more for the early climbs, in products of bfloat16, where the answers bear it.

    The numbers do not depend on whether the processor multiplies bfloat16 itself; the time does.
    """
    slow = surrogate.network
    assert isinstance(slow, nn.Module)
    with suppress(Exception):  # some operations have no bfloat16
        early = InBfloat16(slow).eval()
        mismatch = compare(ask(early, images), reference)
        if not mismatch.within(ROUNDED):
            return _saying(surrogate, f"float32 throughout, as bfloat16 differs by {mismatch.logits:.2g} in logits")
        return replace(_saying(surrogate, "the first short attacks in bfloat16"), early=early)
    return _saying(surrogate, "float32 throughout, as it raises an error in bfloat16")


def _saying(surrogate: Surrogate, more: str) -> Surrogate:
    return replace(surrogate, words=f"{surrogate.words}; {more}")
