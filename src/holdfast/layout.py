"""Where a network's weights lie in memory: on a processor with the channels last."""

from torch import nn

from holdfast.attacks.attack import at_rest
from holdfast.models.layout import channels_last
from holdfast.types import Images


def laid_out(network: nn.Module, images: Images) -> nn.Module:
    """Return the network, its weights laid with the channels last where it is on a processor and can be run so.

    At rest, it is asked about the images once. On GPUs it is left as it is: there it has not been timed.
    """
    if images.device.type == "cpu":
        with at_rest(network):
            channels_last(network, images)
    return network
