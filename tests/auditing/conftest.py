"""Networks and images that many tests of audits share, and what tests of the fast copy are run under."""

import inspect

import pytest
import torch
from torch import nn

from holdfast import Linf
from holdfast.attacks import PGD
from holdfast.data import ImageSet, load
from holdfast.models import build
from tests.auditing.broken import trained
from tests.conftest import Small


@pytest.fixture
def unchecked_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the tests' type checker off methods, which would refuse to be traced; forwards are read without theirs."""
    for name in ("cifar-resnet-8", "madry-wrn-10-1"):
        block = type(build(name, (3, 8, 8), 2).block1[0])
        monkeypatch.setattr(block, "shortcut", inspect.unwrap(block.shortcut))


@pytest.fixture(scope="session")
def data() -> ImageSet:
    return load("digits", "test")


@pytest.fixture(scope="session")
def honest() -> dict[str, nn.Module]:
    """Return a linear network, a small one with batch norm, and the same trained on attacked images, for a moment."""
    some = load("digits", "train")
    torch.manual_seed(0)
    return {
        "linear": trained(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), some, 100),
        "plain": trained(Small(), some, 100),
        "robust": trained(Small(), some, 100, PGD(Linf(0.15), steps=2, step_size=0.1)),
    }
