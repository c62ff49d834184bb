"""Whether what is given is of the type that was declared: fields of frozen values, and arguments of public functions.

Numbers, texts and classes are checked; what a generic type holds inside is not. A type may name the range of its
numbers: `steps: Count = 10`, `std: tuple[Positive, ...] = (0.2, 0.3)` or
`beta: Annotated[float, Interval(0, 2)] = 0.5`.
"""

import math
import types
import typing
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin

from holdfast.errors import BadValue, HoldfastError, require, shown

WORDS: dict[Any, str] = {
    int: "a whole number", float: "a number", bool: "True or False", str: "a text", types.NoneType: "None",
}  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`, as part of a type; of the `ends`, "(]" leaves out `low`, as in mathematics."""

    low: float
    high: float = math.inf
    ends: Literal["[]", "[)", "(]", "()"] = "[]"

    def __contains__(self, number: float) -> bool:
        above = self.low <= number if self.ends[0] == "[" else self.low < number
        return above and (number <= self.high if self.ends[1] == "]" else number < self.high)

    def __str__(self) -> str:
        if self.high < math.inf:
            return f"in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"
        return f"{self.low:g} or more" if self.ends[0] == "[" else f"above {self.low:g}"


Count = Annotated[int, Interval(1)]
NonNegative = Annotated[float, Interval(0)]
Positive = Annotated[float, Interval(0, ends="(]")]
Share = Annotated[float, Interval(0, 1, "(]")]


def check_fields(value: object, largest: float = math.inf) -> None:
    """Refuse fields of a dataclass that are not of the type that it declares, or not in its range.

    NaN is no number, True is no count, and a count has no fraction. What may have a fraction is at most `largest`,
    either way.

    Raises:
        BadValue: a field is not; it is named with what it takes.
    """
    kind: Any = type(value)
    for name, hint in _hints(kind).items():
        given = getattr(value, name)
        require(fits(given, hint), f"{kind.__name__}: {name} = {shown(given)}: it is {said(hint)}")
        for number, interval in _ranged(given, hint):
            require(number in interval, f"{kind.__name__}: {name} = {given}, not {interval}")
        if isinstance(given, Real) and not isinstance(given, Integral):
            within = f"{kind.__name__}: {name} = {given}: it is at most {largest:.3g}, either way"
            require(abs(float(given)) <= largest, within)


def check_type(name: str, given: object, hint: object, error: type[HoldfastError] = BadValue) -> None:
    """Refuse an argument that is not of a type."""
    require(fits(given, hint), f"{name} = {shown(given)}: it is {said(hint)}", error)


def check_count(name: str, given: object, least: int = 1) -> None:
    """Refuse an argument that is no whole number of `least` or more."""
    check_type(name, given, int)
    require(given >= least, f"{name} = {given}, not {least} or more")  # type: ignore[operator]


def fits(given: object, hint: Any) -> bool:
    """Say whether a value is of a type, whatever its range; True is no number here, though it is one in Python."""
    if get_origin(hint) is Annotated:
        return fits(given, get_args(hint)[0])
    if get_origin(hint) is Literal:
        return isinstance(given, bool | int | float | str | None) and given in get_args(hint)
    if get_origin(hint) in (typing.Union, types.UnionType):
        return any(fits(given, each) for each in get_args(hint))
    if get_origin(hint) is Callable:
        return callable(given) and not isinstance(given, type)
    if get_origin(hint) is tuple:
        return _fits_tuple(given, get_args(hint))
    if hint in (int, float):
        number = isinstance(given, Integral if hint is int else Real) and not isinstance(given, bool)
        return number and given == given  # NaN is not itself
    try:
        return isinstance(given, types.NoneType if hint is None else hint)
    except TypeError:  # no class: a generic, or a protocol
        return True


def _fits_tuple(given: object, parts: tuple[Any, ...]) -> bool:
    if not isinstance(given, tuple | list):
        return False
    hints = _hints_of_each(given, parts)
    return len(hints) == len(given) and all(map(fits, given, hints))


def _hints_of_each(given: Sized, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    return parts[:1] * len(given) if parts[-1:] == (...,) else parts


def _ranged(given: Any, hint: Any) -> Iterator[tuple[float, Interval]]:
    """Yield each number of a value, also inside a tuple, with the range that its part of the type names."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        yield from _ranged(given, next(each for each in get_args(hint) if fits(given, each)))
    if get_origin(hint) is tuple:
        for each, part in zip(given, _hints_of_each(given, get_args(hint)), strict=True):
            yield from _ranged(each, part)
    if get_origin(hint) is Annotated:
        yield from ((given, part) for part in hint.__metadata__ if isinstance(part, Interval))


def said(hint: Any) -> str:
    """Return a type in words."""
    if get_origin(hint) is Annotated:
        return said(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(map(said, get_args(hint)))
    if get_origin(hint) is Callable:
        return "a function"
    if get_origin(hint) is tuple:
        return f"a tuple, each of it {said(get_args(hint)[0])}"
    return WORDS.get(hint) or f"of the type {getattr(hint, '__name__', hint)}"


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Return the type of each field; none where they cannot be told, as of a class inside a function."""
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, AttributeError, TypeError):
        return {}
    return {field.name: hints[field.name] for field in fields(kind)}
