"""A class of one's own counts with all that was written into it, and with nothing that Python adds."""

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import pytest
import torch
from torch import nn

import holdfast as hf
from holdfast.attacks import FGSM
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.members import all_members, plain_members

from .written import FILE, written

MEMBERS = {
    "a list": "levels = [1, {n}]",
    "a mapping": "levels = {{'low': {n}}}",
    "a mapping by objects": "levels = {{torch.relu: {n}}}",
    "a tensor": "levels = torch.tensor([{n}])",
    "a function in C": "level = staticmethod([torch.relu, torch.tanh][{n} - 2])",
    "an object": "level = Own({n})",
    "a method of an object": "level = Own({n}).forward",
    "a property that is kept": "level = functools.cached_property(lambda self: {n})",
    "a property that calls a partial": "level = property(functools.partial(max, {n}))",
    "a method with a memory": "level = functools.lru_cache(lambda self: {n})",
    "a partial method": "level = functools.partialmethod(forward, {n})",
    "a class inside": "class Inner:\n        levels = [{n}]",
    "a method": "def level(self): return {n}",
}


def network(member: str, n: int, file: str = FILE) -> nn.Module:
    """Return a network whose class has this member, with a number in it."""
    code = "class Own:\n    def __init__(self, n): self.n = n\n    def forward(self): return self.n\n"
    code += f"class mine(nn.Module):\n    def forward(self, x): return x\n    {member.format(n=n)}"
    made = written(code, file)()
    assert isinstance(made, nn.Module)
    return made


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_what_a_class_holds_counts(member: str) -> None:
    one, again, other = (network_fingerprint(network(member, n)) for n in (2, 2, 3))
    assert one == again != other


@pytest.mark.parametrize("file", ["<stdin>", "<python-input-0>", "<ipython-input-1-0123456789ab>", "<string>"])
def test_a_method_that_was_typed_in_counts(file: str) -> None:
    one, again, other = (network_fingerprint(network(MEMBERS["a method"], n, file)) for n in (2, 2, 3))
    assert one == again != other


def test_nothing_where_a_class_hides_what_it_builds_on_counts() -> None:
    code = "class Base(nn.Module):\n    level = 3\nclass mine(Base):\n    {}"
    one, other = (network_fingerprint(written(code.format(line))()) for line in ("level = None", "pass"))
    assert one != other


T = TypeVar("T")


class Plain(nn.Module, Generic[T]):
    """A module with a list of constants for torch's compiler."""

    __constants__: ClassVar[list[str]] = ["width"]
    width: int = 3
    names = ("a", "b")
    nothing = None

    @property
    def wide(self) -> bool:
        """Say whether."""
        return self.width > 2


class Through(torch.autograd.Function):
    """A function with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """Round."""
        return x.round()


class Abstract(ABC):
    """A kind to fill in."""

    @abstractmethod
    def call(self) -> int:
        """Return a number."""


class Slotted:
    """An object without a dictionary."""

    __slots__ = ["level"]


class Point(NamedTuple):
    """Two numbers."""

    x: int
    y: int


class Sized(Protocol):
    """What has a size."""

    size: int


@dataclass(order=True)
class Config:
    """Settings."""

    level: int = 3
    ball: hf.Linf = hf.Linf(0.1)


@dataclass(frozen=True)
class Mine(FGSM):
    """An attack with a ball of its own."""

    threat: hf.Linf = hf.Linf(0.2)


ORDINARY = (Plain, Through, Abstract, Slotted, Point, Sized, Config, Mine)


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_python_and_torch_add_does_not_count(kind: type) -> None:
    assert all_members(kind) == plain_members(kind)


def test_what_enum_adds_does_not_count() -> None:
    class Mode(enum.Enum):
        FAST = 1

    assert all_members(Mode).keys() - plain_members(Mode).keys() == {"FAST"}
