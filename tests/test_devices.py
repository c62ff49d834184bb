"""Devices: by name, and the one that is there."""

import pytest
import torch
from torch import nn

from holdfast.devices import conditions, device_of, home_of, on_which


@pytest.mark.parametrize("there", [True, False])
def test_auto_is_cuda_where_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    monkeypatch.setattr("torch.zeros", lambda *shape, device: None)  # no such device need be here
    assert device_of("auto") == torch.device("cuda" if there else "cpu")


def test_conditions_name_the_device_that_was_used() -> None:
    measured = conditions("cpu")
    assert measured["device"] == "cpu"
    assert "CPU threads" in on_which(measured)


def test_a_network_is_where_its_weights_are() -> None:
    assert home_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert home_of(nn.BatchNorm1d(2, affine=False)) == torch.device("cpu")
    assert home_of(lambda x: x, "meta") == torch.device("meta")
