"""The mean answer of a network that answers at random, so that attacks follow the mean gradient: expectation over
transformation (Athalye et al.: "Synthesizing robust adversarial examples", 2018).
"""

import math
from contextvars import copy_context

import torch
from torch import Tensor, nn

from holdfast.errors import ModelFault, require
from holdfast.passes import spend
from holdfast.types import Images, Logits, Network


class Expectation(nn.Module):
    """A classifier that asks another several times and answers with the logarithm of the mean probabilities."""

    def __init__(self, model: Network, draws: int) -> None:
        super().__init__()
        require(draws >= 1, f"expectation: draws = {draws}, not 1 or more")
        self.model = model
        self.draws = draws

    def forward(self, images: Images) -> Logits:
        """Return the log probabilities, in float32.

        Raises:
            ModelFault: the network answers with something else than logits.
        """
        logarithms = torch.stack([self._ask(images) for _ in range(self.draws)])
        answer: Tensor = logarithms.logsumexp(0) - math.log(self.draws)
        self._count(answer, len(images))
        return answer

    def _ask(self, images: Images) -> Tensor:
        """Return the log probabilities of one draw."""
        logits = self.model(images)
        if logits.ndim != 2:
            raise ModelFault(f"expectation: the network gave shape {tuple(logits.shape)}; logits (n, k) are needed")
        return logits.float().log_softmax(1)

    def _count(self, answer: Tensor, count: int) -> None:
        """Add the passes beyond the one that the attack itself counts, in each direction."""
        extra = (self.draws - 1) * count
        spend(forwards=extra)
        if answer.requires_grad:
            # On CUDA the hook runs in a thread that does not know the open counters: it takes them along from here.
            context = copy_context()
            answer.register_hook(lambda gradient: context.run(spend, backwards=extra))


def expectation(model: Network, draws: int) -> Expectation:
    """Return a classifier that averages the probabilities of `draws` random answers of `model`, as log probabilities.

    The cross-entropy is then -log of the mean probability, and the margin that between mean probabilities: what a
    judge who averages predictions sees. Mean logits would let one draw of huge logits outvote all others, and the mean
    of the losses (the original objective) is spent on draws that are lost already; that mean is the bound which
    Jensen's inequality puts above ours. With one draw it is `model` up to a shift of the logits, with the same losses.

    Attacks put networks in evaluation mode: what is random must be so in that mode. Each draw is counted as a pass.

        PGD(Linf(8 / 255))(expectation(model, draws=20), images, labels)
    """
    return Expectation(model, draws)
