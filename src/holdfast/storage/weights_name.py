"""A short name of the weights of a network."""

from torch import Tensor, nn

from holdfast.storage.fingerprint import name_of_tensors


def name_of_weights(model: nn.Module) -> str:
    """Return a short name made of the bytes of all tensors in the state of a network.

    What a part keeps beside them (`get_extra_state`) may be anything, and need not have a name.
    """
    return name_of_tensors({name: each for name, each in model.state_dict().items() if isinstance(each, Tensor)})
