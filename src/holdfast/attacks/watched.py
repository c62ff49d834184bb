"""The network under attack, watched: what it answers, the gradients of that, and what it should not do."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import BadLabels, ModelFault, NoGradient
from holdfast.passes import spend
from holdfast.types import Images, Network, Outputs, Targets

FAR, STEEP = 1e18, 1e15
"""What stands for a logit of minus infinity, and for an infinite gradient: float32 holds sums of their squares."""
IN_PLACE = "the network changes its images, or its weights, in place: let it work on copies"


class Watched:
    """The network under attack: what it answers, and the gradients of that, are looked at once in the end."""

    def __init__(self, model: Network, targets: Targets) -> None:
        self.model = model
        self.labels = targets if targets.ndim == 1 and not targets.is_floating_point() else None
        self.keeps = True
        """Whether its graph can be kept for another backward pass: not where torch.compile gives its buffers away."""
        self.peaks: list[Tensor] = []
        self.slopes: list[Tensor] = []

    def __call__(self, images: Images) -> Outputs:
        """Return the network's answer."""
        answer = ask(self.model, images)
        spend(forwards=len(images))
        if not self.peaks:
            self._check_first(answer, len(images))
        # A class that is ruled out by minus infinity is far away instead: so are differences of logits numbers.
        outputs: Tensor = answer.float().nan_to_num(nan=torch.nan, posinf=torch.inf, neginf=-FAR)
        self.peaks.append(outputs.detach().amax())  # NaN wins every maximum; nobody waits for the device yet
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
        self.slopes.append(found.amax())  # the sign of NaN is 0: unseen, it would look like robustness
        return found

    def _differentiated(self, total: Tensor, x: Images, keep: bool) -> Tensor | None:
        try:
            return torch.autograd.grad(total, x, retain_graph=keep and self.keeps, allow_unused=True)[0]
        except RuntimeError as fault:
            if keep and self.keeps and "donated buffers" in str(fault):
                self.keeps = False
                return self._differentiated(total, x, keep)
            # a function without a backward pass, or one whose inputs were written over
            if isinstance(fault, NotImplementedError) or "inplace operation" in str(fault):
                said = "a part of the network has no backward pass, or writes over what it needs for one"
                raise NoGradient(f"no gradient reaches the images: {said}") from fault
            raise

    def _check_first(self, outputs: Outputs, count: int) -> None:
        """Refuse an answer that is not one row an image, or labels that it has no class for."""
        if not isinstance(outputs, Tensor) or outputs.ndim == 0 or len(outputs) != count:
            raise ModelFault(f"the network gave {_shape(outputs)} for {count} images; one row an image is needed")
        if self.labels is not None and outputs.ndim == 2 and len(self.labels):
            largest = int(self.labels.max())
            if outputs.shape[1] < 2:
                raise ModelFault(f"the network has {outputs.shape[1]} class: an attack on labels needs two or more")
            if largest >= outputs.shape[1]:
                raise BadLabels(f"a label is {largest}, but the network knows classes 0 to {outputs.shape[1] - 1}")

    def confess(self, images: Images) -> None:
        """Raise if any answer was NaN or infinite, or any gradient NaN: that is neither robust nor broken."""
        peaks, slopes = (torch.stack(seen) if seen else torch.zeros(1) for seen in (self.peaks, self.slopes))
        if bool((peaks.isnan() | (peaks == torch.inf)).any()):
            with torch.no_grad():
                answers = self.model(images).flatten(1)
            bad = (answers.isnan() | (answers == torch.inf)).any(1).nonzero().flatten().tolist()
            what = "NaN" if bool(peaks.isnan().any()) else "infinity"
            where = f"for image {bad[0]} of the batch, among {len(bad)}" if bad else "on the way"
            raise ModelFault(f"the network answered {what} {where}: it can be called neither robust nor broken")
        if bool(slopes.isnan().any()):
            raise ModelFault(
                "the gradient towards the images is NaN: the network can be called neither robust nor broken"
            )


def ask(model: Network, images: Images) -> Any:
    """Return what a network answers, whatever that is.

    Raises:
        NoGradient: it leaves torch while the images ask for a gradient.
        ModelFault: it writes over the images, or has weights of another type than they are.
    """
    before = None if images.is_inference() else images._version
    try:
        answer = model(images)
    except RuntimeError as fault:
        known = _known(str(fault), model)
        if known is None:
            raise
        raise known from fault
    if before is not None and images._version != before:
        raise ModelFault(IN_PLACE)
    return answer


def _known(words: str, model: Network) -> ModelFault | None:
    """Return the error that says what torch's words mean here, if it is one of those that networks often cause."""
    if "numpy() on Tensor that requires grad" in words:
        return NoGradient("no gradient reaches the images: the network leaves torch for numpy")
    if "leaf Variable that requires grad" in words:
        return ModelFault(IN_PLACE)
    weights = model.parameters() if isinstance(model, nn.Module) else ()
    kinds = {weight.dtype for weight in weights if weight.is_floating_point()} - {torch.float32}
    if kinds and re.search(r"scalar type|same dtype|weight type|bias type", words):
        return ModelFault(
            f"the network's weights are {kinds.pop()} and images float32: call .float(), or cast in forward"
        )
    return None


def _shape(value: object) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
