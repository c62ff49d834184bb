"""A fast copy of a network for crafting: what it is attacked on, while the network itself judges.

The copy is at rest, its weights ask for no gradients, batch norms are folded into the layers before them, 4-d weights
lie with the channels last, and products are of bfloat16 where the processor multiplies that itself and it pays. A copy
that answers otherwise than the network is not used.
"""

import copy
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import nn

from holdfast.audit.bfloat16 import InBfloat16, multiplies_bfloat16, times_as_fast
from holdfast.audit.folding import BATCH_NORMS, apply, changes
from holdfast.audit.likeness import EXACT, ROUNDED, Reference, ask, compare
from holdfast.audit.processes import first_ones
from holdfast.audit.steadiness import generators_put_back, unsteady
from holdfast.layout import channels_last
from holdfast.models.pretrained import reason
from holdfast.types import Images, Network

COMPARED = 16
"""How many of the images the copy is compared on."""
PAYS = 1.3
"""How many times as fast a gradient must be in bfloat16 for it to be used."""


@dataclass(frozen=True)
class Surrogate:
    """What to attack instead of a network."""

    network: Network
    """The copy, or the network itself."""
    words: str
    """What was done, or why nothing was."""
    mismatch: float = 0.0
    """The largest difference of its logits from the network's, relative to the spread of those."""


def fast_copy(model: Network, images: Images) -> Surrogate:
    """Return a fast copy of a network, at rest, compared with it on the first of the images.

    The network itself is returned, and the words say why, where it is a function, compiled, random, keeps state, cannot
    be copied or raises, or where the copy answers otherwise. Nothing of the model changes, nor is it called: its copies
    are. Give as many images as a batch will have: bfloat16 is timed on them.
    """
    if not isinstance(model, nn.Module):
        return itself(model, "it is a function")
    if any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in model.modules()):
        return itself(model, "it is compiled")
    if len(images) == 0:
        return itself(model, "there are no images to compare a copy on")
    device = images.device.type
    with generators_put_back(), torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
        try:
            return _fast_copy(model, images.detach().clone())
        except Exception as fault:  # a stranger's network may raise anything
            return itself(model, f"a copy raises {type(fault).__name__}: {reason(fault)}")


def itself(model: Network, why: str) -> Surrogate:
    """Return the network as its own surrogate."""
    return Surrogate(model, f"the network itself: {why}")


def _fast_copy(model: nn.Module, images: Images) -> Surrogate:
    """Return the copy, or the network where a copy is not the same."""
    fast, few = copy.deepcopy(model), images[:COMPARED]
    if shares(fast, model):
        return itself(model, "its copies share parts with it")
    for part in fast.modules():
        part.training = False
    twin = copy.deepcopy(fast)  # what is run, and may keep what it is asked
    if why := unsteady(twin, few):
        return itself(model, why)
    reference, norms = ask(twin, few), sum(type(part) in BATCH_NORMS for part in twin.modules())
    found = changes(twin, few)
    apply(found, fast.requires_grad_(False))
    layout = "channels last" if channels_last(fast, few) else "weights as they lay"
    mismatch = compare(ask(fast, few), reference)
    if not mismatch.within(EXACT if images.device.type == "cpu" else ROUNDED):
        return itself(
            model, f"a copy differs by {mismatch.logits:.2g} in logits, {mismatch.gradients:.2g} in gradients"
        )
    words = f"a copy at rest; {len(found.folded)} of {norms} batch norms folded; {layout}"
    return in_bfloat16(Surrogate(fast, words, mismatch.logits), reference, images)


def shares(twin: nn.Module, model: nn.Module) -> bool:
    """Say whether a change of one would be a change of the other, as when a network says how it is copied."""
    own, others = ({id(each) for each in (*one.modules(), *one.parameters(), *one.buffers())} for one in (model, twin))
    return bool(own & others)


def in_bfloat16(surrogate: Surrogate, reference: Reference, images: Images) -> Surrogate:
    """Return the copy with products of bfloat16 where the processor has them, the answers bear it, and it pays.

    Only where the processor has them is anything timed: elsewhere the choice does not depend on the hour.
    """
    slow = surrogate.network
    assert isinstance(slow, nn.Module)
    if any(isinstance(part, InBfloat16) for part in slow.modules()):
        return surrogate
    if not multiplies_bfloat16(images.device):
        return _saying(surrogate, "float32, as the processor does not multiply bfloat16")
    with suppress(Exception):  # some operations have no bfloat16
        fast = InBfloat16(slow).eval()
        mismatch = compare(ask(fast, images[:COMPARED]), reference)
        if not mismatch.within(ROUNDED):
            return _saying(surrogate, f"float32, as bfloat16 differs by {mismatch.logits:.2g} in logits")
        gain = first_ones(times_as_fast(fast, slow, images))
        if gain < PAYS:
            return _saying(surrogate, f"float32, as bfloat16 is only {gain:.2f} times as fast")
        return Surrogate(fast, f"{surrogate.words}; bfloat16, {gain:.1f} times as fast", mismatch.logits)
    return _saying(surrogate, "float32, as it raises in bfloat16")


def _saying(surrogate: Surrogate, more: str) -> Surrogate:
    return replace(surrogate, words=f"{surrogate.words}; {more}")
