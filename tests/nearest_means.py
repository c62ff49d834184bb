"""A network without training that is right on most digits: what `make wheel` audits with the installed package."""

import torch
from torch import nn

import holdfast as hf


def network() -> nn.Module:
    """Return the linear network that answers with the class whose mean is nearest (its logits are -|x - m|² + |x|²)."""
    train = hf.load("digits", "train")
    means = torch.stack([train.images[train.labels == label].flatten(1).mean(0) for label in range(10)])
    linear = nn.Linear(64, 10)
    with torch.no_grad():
        linear.weight.copy_(2 * means)
        linear.bias.copy_(-means.square().sum(1))
    return nn.Sequential(nn.Flatten(), linear)
