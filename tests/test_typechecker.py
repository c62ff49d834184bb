"""That the checker of the tests refuses what is not of the declared type, wherever it stands."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from jaxtyping import Float, Int, TypeCheckError
from torch import Tensor

from holdfast.threats import Linf
from tests.typechecker import check, jaxtyped

X, LABELS = torch.rand(4, 3), torch.zeros(4, dtype=torch.int64)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    return jaxtyped(function, typechecker=check)


@checked
def logits_of(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"] | None, answer: Any = X) -> Float[Tensor, "n k"]:
    return answer


@checked
def number(given: float, *others: int, name: str | None = None) -> float:
    answer: Any = given if name is None else name
    return answer


@pytest.mark.parametrize(
    "given",
    [(X, X), (X, LABELS[:3]), (X[0], LABELS), (X.long(), LABELS), (X, LABELS, X[:2]), (X, None, X.long()), (X, 1)],
    ids=["kind", "count", "one image", "kind of logits", "returned count", "returned kind", "number"],
)
def test_arrays_of_another_kind_or_size_are_refused(given: tuple[Any, ...]) -> None:
    assert logits_of(X, LABELS) is X
    with pytest.raises(TypeCheckError):
        logits_of(*given)


def test_other_values_are_checked_too_and_an_int_is_a_float() -> None:
    assert number(1, 2, 3) == 1
    for given, others in ((("1",), {}), ((1.0, 0.5), {}), ((1.0,), {"name": 3}), ((1.0,), {"name": "returned"})):
        with pytest.raises(TypeCheckError):
            number(*given, **others)


def test_a_call_within_a_call_has_sizes_of_its_own() -> None:
    @checked
    def outer(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        logits_of(logits[:2], LABELS[:2], logits[:2])
        return logits

    assert outer(X) is X


@pytest.mark.usefixtures("unchecked")
def test_it_can_be_switched_off() -> None:
    assert logits_of(X, X) is X
    assert number("1") == "1"


def test_it_stands_before_holdfast() -> None:
    with pytest.raises(TypeCheckError):
        Linf(0.1).project(X, LABELS)
