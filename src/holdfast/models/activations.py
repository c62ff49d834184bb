"""The activations between layers by name, for networks that are published with several."""

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from holdfast.errors import UnknownName

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "softplus": nn.Softplus,
    "softplus-10": partial(nn.Softplus, beta=10),
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "leaky-relu": partial(nn.LeakyReLU, 0.1),
}
"""SiLU and Swish are two names of one function; softplus-10 has the beta of 10 that is nearer to ReLU."""


def activation(name: str) -> nn.Module:
    """Return the activation of this name."""
    if name not in ACTIVATIONS:
        raise UnknownName("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
