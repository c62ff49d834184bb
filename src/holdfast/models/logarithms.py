"""A network that answers with probabilities, made one that answers with logits."""

import torch
from torch import nn

from holdfast.types import Images, Logits, Network


class Logarithms(nn.Module):
    """A network that answers with the logarithms of another's probabilities: logits, up to a shift."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Images) -> Logits:
        """Return the logarithms; a probability that rounds to 0 counts as the smallest number, one below it as NaN."""
        probabilities = self.network(images)
        smallest = torch.finfo(probabilities.dtype).tiny
        # The logarithm of 0 has a gradient that is infinite, and times 0 it would be NaN.
        logits: Logits = torch.where(probabilities < 0, torch.nan, probabilities.clamp_min(smallest)).log()
        return logits


def logarithms(network: Network) -> Logarithms:
    """Return a classifier for attacks and audits of one that answers with probabilities.

    The softmax of what it answers are these probabilities, and differences of its answers are those of the logits that
    the network had before its own softmax, except where a probability had become 0.

        hf.audit(hf.models.logarithms(network), images, labels, hf.Linf(8 / 255))
    """
    return Logarithms(network)
