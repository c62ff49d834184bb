"""The name of a network's weights: of its tensors alone, whatever else its state holds."""

import torch
from torch import nn

from holdfast.storage.fingerprint import name_of_tensors
from holdfast.storage.weights_name import name_of_weights


class Counted(nn.Linear):
    """A layer that keeps a table beside its weights, as layers of quantised networks do."""

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}

    def set_extra_state(self, state: dict[str, int]) -> None:
        assert state


def test_what_is_no_tensor_has_no_part_in_the_name() -> None:
    torch.manual_seed(0)
    plain, counted = nn.Linear(3, 2), Counted(3, 2)
    counted.load_state_dict(plain.state_dict(), strict=False)
    assert name_of_weights(counted) == name_of_weights(plain) == name_of_tensors(plain.state_dict())
    assert name_of_weights(Counted(3, 2)) != name_of_weights(plain)
