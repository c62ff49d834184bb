"""The network of the stored run."""

from torch import nn


def linear() -> nn.Module:
    """Return a linear network of ten classes for 8x8 images."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
