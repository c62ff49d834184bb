"""Objects count with their settings, and not with what is of one process, one device or one moment."""

import functools
import logging
import operator
import re
import threading
from collections import deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from string import Template
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import AffineTransform, Categorical, LogNormal, MultivariateNormal, Normal
from torchvision.transforms import Compose, InterpolationMode, Normalize

from holdfast.storage.behaviour import network_fingerprint


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("level",)

    def __init__(self, level: float) -> None:
        self.level = level


class Kept:
    """An object that works something out once."""

    def __init__(self, level: float) -> None:
        self.level = level

    @functools.cached_property
    def double(self) -> float:
        """Return twice its level."""
        return 2 * self.level


def name(value: object) -> str:
    """Return the name of a network that holds a value."""
    network = nn.Identity()
    network.held = value  # type: ignore[assignment]
    return network_fingerprint(network)


MAKERS = {
    "of torchvision": lambda n: Compose([Normalize([0.1 * n], [0.2])]),
    "a distribution": lambda n: Normal(0.0, float(n)),
    "one made of another": lambda n: LogNormal(0.0, float(n)),
    "one with a matrix": lambda n: MultivariateNormal(torch.zeros(2), scale_tril=torch.eye(2) * n),
    "its transform": lambda n: AffineTransform(0.0, float(n)),
    "a member of an enumeration": lambda n: list(InterpolationMode)[n],
    "a queue": lambda n: deque([torch.tensor(n)], maxlen=3),
    "a range": lambda n: range(n),
    "a slice": lambda n: slice(0, n),
    "a fraction": lambda n: Fraction(n, 7),
    "a decimal": lambda n: Decimal(n),
    "a path": lambda n: Path(str(n)),
    "a pattern": lambda n: re.compile(f"a{n}"),
    "a getter": lambda n: operator.itemgetter(n),
    "a template": lambda n: Template(f"${n}"),
    "an object with slots": lambda n: Slotted(n),
    "a mapping by objects": lambda n: {Kept(n): n},
    "a set of functions": lambda n: {torch.relu, torch.tanh, functools.partial(max, n)},
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_settings_count(make: Any) -> None:
    assert name(make(1)) == name(make(1)) != name(make(2))


def test_what_is_of_one_process_or_device_does_not_count() -> None:
    hook = nn.Identity().register_forward_hook(print)
    other = nn.Identity().register_forward_hook(print)
    assert name(hook) == name(other)
    assert name(logging.getLogger("a")) == name(logging.getLogger("b"))
    assert name(threading.Lock()) == name(threading.Lock())
    assert name(torch.device("cpu")) == name(torch.device("cuda"))


def test_what_was_only_asked_for_does_not_count() -> None:
    kept, drawn, moved = Kept(3), Categorical(logits=torch.arange(3.0)), AffineTransform(0.0, 2.0)
    before = [name(value) for value in (kept, drawn, moved)]
    assert (kept.double, drawn.probs.shape, moved.inv.domain) == (6, (3,), moved.codomain)
    assert [name(value) for value in (kept, drawn, moved)] == before
