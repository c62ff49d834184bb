"""The network under attack, watched: what it answers, the gradients of that, and what it should not do."""

import math
import re
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from holdfast.errors import BadLabels, HoldfastError, ModelFault, NoGradient, reason, require
from holdfast.models.answer import how_to_say, shown_answer
from holdfast.passes import spend
from holdfast.storage.behaviour import INSTALLED, OURS
from holdfast.storage.modules_behind import modules_behind
from holdfast.types import Images, Logits, Network, Outputs, Targets

FAR, STEEP = 1e18, 1e15
"""What stands for a logit of minus infinity, and for an infinite gradient: float32 holds sums of their squares."""
PASSED_ON = (HoldfastError, torch.OutOfMemoryError)
"""What is not wrapped: it says in one line what is wrong, or callers try again with fewer images."""
IN_PLACE = "the network changes its images, or its weights, in place: let it work on copies"


class Watched:
    """The network under attack: what it answers, and the gradients of that, are looked at once in the end."""

    def __init__(self, model: Network, targets: Targets, heads: bool = False, alarm: bool = False) -> None:
        self.model = model
        self.alarm = alarm
        """Whether its last answer is a score that is compared with 0, so that answers have a place of their own."""
        self.heads = heads
        """Whether it answers with logits of auxiliary heads too; the objective on them says what shape it needs."""
        whole = targets.dtype == torch.int64 and (targets.ndim == 1 or targets.shape[1:] == (2,))
        self.labels = targets if whole else None
        """Labels, or pairs of them; None where the targets are none."""
        self.keeps = True
        """Whether its graph can be kept for another backward pass: not where torch.compile gives its buffers away."""
        self.peak: Tensor | None = None
        self.slope: Tensor | None = None

    def __call__(self, images: Images) -> Outputs:
        """Return the network's answer."""
        answer = ask(self.model, images)
        spend(forwards=len(images))
        table = self.labels is not None and not self.heads
        check_answer(answer, images, table)
        if self.peak is None and self.labels is not None:
            check_labels(self.labels, answer)
        # A class that is ruled out by minus infinity is far away instead: so are differences of logits numbers.
        near = in_float32(answer) if table and not self.alarm else answer.float()
        outputs: Tensor = near.clamp_min(-FAR)
        self.peak = _higher(self.peak, outputs)
        return outputs

    def gradient(self, value: Tensor, x: Images, keep: bool = False) -> Tensor:
        """Return the gradient of a number an image towards the images, and towards nothing else.

        `keep` asks for a graph that serves once more; `keeps` says afterwards whether there is one.
        """
        total = value.sum()
        found = self._differentiated(total, x, keep) if total.requires_grad else None
        spend(backwards=len(x))
        if found is None:
            raise NoGradient("no gradient reaches the images: the network detaches them, or runs without gradients")
        # Infinite, as of a root at black, it says where to go but not how far; divided by its length it would be NaN.
        found = found.nan_to_num(nan=torch.nan, posinf=STEEP, neginf=-STEEP)
        self.slope = _higher(self.slope, found)  # the sign of NaN is 0: unseen, it would look like robustness
        return found

    def _differentiated(self, total: Tensor, x: Images, keep: bool) -> Tensor | None:
        try:
            return torch.autograd.grad(total, x, retain_graph=keep and self.keeps, allow_unused=True)[0]
        except PASSED_ON:
            raise
        except Exception as fault:
            if keep and self.keeps and "donated buffers" in str(fault):
                self.keeps = False
                return self._differentiated(total, x, keep)
            said = _without_gradient(fault)
            if said is None:
                raise ModelFault(f"its backward pass raised {what(fault)}") from fault
            raise NoGradient(f"no gradient reaches the images: {said}") from fault

    def raise_if_invalid(self, images: Images) -> None:
        """Raise if any answer was NaN or infinite, or any gradient NaN: that is neither robust nor broken."""
        seen = [0.0 if end is None else end for end in (self.peak, self.slope)]
        peak, slope = torch.stack([torch.as_tensor(end).to(images) for end in seen]).tolist()  # one wait for the device
        if math.isnan(peak) or peak == math.inf:
            with torch.no_grad():
                answers = ask(self.model, images).flatten(1)
            bad = (answers.isnan() | (answers == torch.inf)).any(1).nonzero().flatten().tolist()
            what = "NaN" if math.isnan(peak) else "infinity"
            where = f"for image {bad[0]} of the batch, one of {len(bad)} such images" if bad else "on the way"
            raise ModelFault(f"the network answered {what} {where}: it can be called neither robust nor broken")
        if math.isnan(slope):
            raise ModelFault(
                "the gradient towards the images is NaN: the network can be called neither robust nor broken"
            )


def _higher(peak: Tensor | None, values: Tensor) -> Tensor:
    """Return the highest of the values and of the peak before; NaN wins, and nobody waits for the device.

    One number is kept, not one a call: between images that come and go, many small ones would scatter the memory.
    """
    own = values.detach().amax()
    return own if peak is None else peak.maximum(own)


LONGER = (torch.float64, torch.int64, torch.int32)
"""Types of answers with more digits than float32 has."""


def in_float32(logits: Tensor) -> Logits:
    """Return a table of logits in float32; rows whose highest ones rounding would tie, less their highest.

    The answers of a float64 network around 1e9 are 64 apart in float32, and a tie is no right answer. Ties below the
    highest logit stay.
    """
    near = logits.float()
    if logits.dtype not in LONGER:
        return near
    highest = logits.detach().amax(1, keepdim=True)
    tops = [(each == each.amax(1, keepdim=True)).sum(1, keepdim=True) for each in (near.detach(), logits.detach())]
    return torch.where(tops[0] > tops[1], (logits - highest).float(), near)


def ask(model: Network, images: Images) -> Any:
    """Return what a network answers, whatever that is.

    Raises:
        NoGradient: it leaves torch while the images ask for a gradient.
        ModelFault: it raises, writes over the images, or has weights of another type than they are.
    """
    before = None if images.is_inference() else images._version
    try:
        answer = model(images)
    except PASSED_ON:
        raise
    except Exception as fault:  # a stranger's network may raise anything
        known = _known(str(fault), model)
        raise known or ModelFault(f"the network raised {what(fault)}") from fault
    if before is not None and images._version != before:
        raise ModelFault(IN_PLACE)
    return answer


def what(fault: Exception) -> str:
    """Return on one line what a network raised, and where in the code of whoever wrote it."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(fault.__traceback__)]
    own = [f" ({file}, line {line})" for file, line in frames if not {*INSTALLED, OURS} & {*Path(file).parts}]
    return f"{type(fault).__name__}{(own or [''])[-1]}: {reason(fault)}"


def check_answer(answer: object, images: Images, table: bool) -> None:
    """Refuse an answer that is not one row of numbers an image; as a table, one row of two or more logits."""
    if not isinstance(answer, Tensor):
        needed = how_to_say(answer) or "one row of logits an image is needed"
        raise ModelFault(f"the network returned {shown_answer(answer)}: {needed}")
    if answer.ndim == 0 or len(answer) != len(images):
        raise ModelFault(f"the network gave {_shape(answer)} for {len(images)} images; one row an image is needed")
    if answer.is_complex():
        raise ModelFault(f"the network answered {answer.dtype}: real numbers are needed")
    if answer.device != images.device:
        raise ModelFault(f"the network answered on {answer.device} to images on {images.device}")
    if table and (answer.ndim != 2 or answer.shape[1] < 2):
        hint = "; torch.cat([-z, z], 1) makes two of one" if answer[0].numel() == 1 else ""
        needed = "logits of shape (images, classes), two or more, are needed"
        raise ModelFault(f"the network answered {_shape(answer)}: {needed}{hint}")


def check_labels(labels: Tensor, logits: Tensor) -> None:
    """Refuse labels, or pairs of them, that a network has no class for."""
    largest = int(labels.max()) if labels.numel() else 0
    known = f"a label is {largest}, but the network knows classes 0 to {logits.shape[-1] - 1}"
    require(largest < logits.shape[-1], known, BadLabels)


def _without_gradient(fault: Exception) -> str | None:
    """Return why a network cannot be differentiated, of what torch raises on the way back; None of other faults."""
    words = str(fault)
    if isinstance(fault, NotImplementedError) or "inplace operation" in words:
        return "a part of the network has no backward pass, or writes over what it needs for one"
    if "use_reentrant=True" in words:
        return "a part of the network is recomputed by reentrant checkpointing; give it use_reentrant=False"
    return None


def _known(words: str, model: Network) -> ModelFault | None:
    """Return the error that says what torch's words mean here, if it is one of those that networks often cause."""
    if "numpy() on Tensor that requires grad" in words:
        return NoGradient("no gradient reaches the images: the network leaves torch for numpy")
    if "leaf Variable that requires grad" in words:
        return ModelFault(IN_PLACE)
    if "Inference tensors cannot be saved for backward" in words:
        return NoGradient("no gradient reaches the images: the network's weights were made in inference mode")
    weights = [weight for module in modules_behind(model) for weight in module.parameters(recurse=False)]
    kinds = {weight.dtype for weight in weights if weight.is_floating_point()} - {torch.float32}
    if kinds and re.search(r"scalar type|same dtype|weight type|bias type", words):
        return ModelFault(
            f"the network's weights are {kinds.pop()} and images float32: call .float(), or cast in forward"
        )
    return None


def _shape(value: Tensor) -> str:
    return f"shape {tuple(value.shape)}"
