"""What objects hold that decides what they do: their settings, and no caches, locks, devices or handles."""

import functools
import itertools
import operator
import re
from array import array
from collections import deque
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from types import MemberDescriptorType
from typing import Any

from torch.distributions import Distribution

SAID = (range, Fraction, Decimal, PurePath, bytearray, array)
"""Kinds whose objects Python writes out whole."""
WITH_SETTINGS = (
    *("collections", "string", "numpy.polynomial", "torch.distributions", "torch.nn"),
    *("torchvision.models", "torchvision.ops", "torchvision.transforms"),
)
"""Modules whose objects have settings as attributes; those of others of Python and packages may be of one process."""
FOUND_LATER = ("_inv", "_cached_x_y")
"""What torch's transforms keep once they were asked for it."""


def attributes(value: object) -> dict[str, object] | None:
    """Return the attributes of an object, less what cached properties keep; None where it has none."""
    own: dict[str, object] = getattr(value, "__dict__", {})
    kind: Any = type(value)
    written = [each for each in kind.__mro__ if "__slots__" in vars(each)]
    slots = [item for each in written for item in vars(each).values() if isinstance(item, MemberDescriptorType)]
    if not slots and not hasattr(value, "__dict__"):
        return None
    held = {slot.__name__: getattr(value, slot.__name__) for slot in slots if hasattr(value, slot.__name__)}
    later = cached(kind) & own.keys()
    return {name: item for name, item in (held | own).items() if name not in later} if slots or later else own


@functools.cache
def cached(kind: Any) -> frozenset[str]:
    """Return the names of a class's cached properties: what they keep is there only after somebody asked."""
    every = (pair for each in kind.__mro__ for pair in vars(each).items())
    return frozenset(name for name, item in every if isinstance(item, functools.cached_property))


def settings(value: Any) -> object:
    """Return what an object of Python's or a package's kind was made with; None where a name is enough."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, SAID):
        return repr(value)
    if isinstance(value, slice):
        return [value.start, value.stop, value.step]
    if isinstance(value, deque):
        return [list(value), value.maxlen]
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    if isinstance(value, operator.itemgetter | operator.attrgetter | operator.methodcaller):
        return value.__reduce__()
    return _of_a_wrapper(value) or _of_a_package(value)


def _of_a_wrapper(value: Any) -> object:
    """Return the function that Python's decorators are around."""
    if isinstance(value, functools.cached_property):
        return value.func
    if isinstance(value, functools.partialmethod):
        return [value.func, value.args, value.keywords]
    if isinstance(value, functools.singledispatchmethod):
        return dict(value.dispatcher.registry)
    return getattr(value, "__dict__", {}).get("__wrapped__")


def _of_a_package(value: object) -> object:
    module = type(value).__module__
    if not any(module == name or module.startswith(f"{name}.") for name in WITH_SETTINGS):
        return None
    if isinstance(value, Distribution):  # what comes after its shape is worked out from what came before
        return dict(itertools.takewhile(lambda pair: pair[0] != "_batch_shape", vars(value).items()))
    kept = attributes(value) or {}
    return {name: item for name, item in kept.items() if name not in FOUND_LATER} or None
