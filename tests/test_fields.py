"""Ranges that types of fields name, and what is said of values outside."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from holdfast.errors import BadValue
from holdfast.fields import Count, Interval, NonNegative, Positive, Share, check_fields


@dataclass(frozen=True)
class Chosen:
    """Fields of every kind of range."""

    steps: Count = 1
    weight: NonNegative = 0.0
    scale: Positive | None = None
    share: Share = 1.0
    gamma: Annotated[float, Interval(0, 1, "()")] = 0.5
    pair: tuple[Positive, Share] = (2.0, 0.5)
    several: tuple[Positive, ...] | None = None
    whole: float = -1.0

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("steps", 0, "steps = 0, not 1 or more"),
        ("weight", -0.1, "weight = -0.1, not 0 or more"),
        ("scale", 0.0, "scale = 0.0, not above 0"),
        ("share", 0.0, "share = 0.0, not in (0, 1]"),
        ("share", 1.5, "share = 1.5, not in (0, 1]"),
        ("gamma", 0.0, "gamma = 0.0, not in (0, 1)"),
        ("gamma", 1.0, "gamma = 1.0, not in (0, 1)"),
        ("pair", (2.0, 2.0), "pair = (2.0, 2.0), not in (0, 1]"),
        ("several", (1.0, 0.0), "several = (1.0, 0.0), not above 0"),
    ],
)
def test_a_number_out_of_its_range_is_named_with_the_range(name: str, value: object, words: str) -> None:
    with pytest.raises(BadValue) as refused:
        Chosen(**{name: value})
    assert str(refused.value) == f"Chosen: {words}"


def test_what_lies_in_its_range_passes() -> None:
    Chosen(steps=10**6, weight=0, scale=None, share=1, gamma=1e-9)
    Chosen(scale=1e-30, several=())


@pytest.mark.usefixtures("unchecked")
def test_the_type_comes_before_the_range() -> None:
    with pytest.raises(BadValue, match="steps = '0': it is a whole number"):
        Chosen(steps="0")
    with pytest.raises(BadValue, match="scale = '1': it is a number or None"):
        Chosen(scale="1")
