"""The network of benchmarks/parity.py, for `Run(model="benchmarks/parity_network.py:narrow")`."""

from typing import Any

from torch import nn

from holdfast.models.digits_net import DigitsNet


def narrow(**options: Any) -> nn.Module:
    """Return a digits-net of 12 and 24 channels, so that hundreds of attacks take minutes."""
    return DigitsNet(**options, width=12)
