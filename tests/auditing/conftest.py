"""What every test of the fast copy is run under."""

import inspect

import pytest

from holdfast.models import build


@pytest.fixture
def unchecked_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the tests' type checker off a method, which would refuse to be traced; forwards are read without theirs."""
    block = type(build("cifar-resnet-8", (3, 8, 8), 2).block1[0])
    monkeypatch.setattr(block, "shortcut", inspect.unwrap(block.shortcut))
