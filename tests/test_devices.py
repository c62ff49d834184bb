"""Devices: by name, and the one that is there."""

import pytest
import torch

from holdfast.devices import conditions, device_of, on_which


@pytest.mark.parametrize("there", [True, False])
def test_auto_is_cuda_where_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    monkeypatch.setattr("torch.zeros", lambda *shape, device: None)  # no such device need be here
    assert device_of("auto") == torch.device("cuda" if there else "cpu")


def test_conditions_name_the_device_that_was_used() -> None:
    measured = conditions("cpu")
    assert measured["device"] == "cpu"
    assert "CPU threads" in on_which(measured)
