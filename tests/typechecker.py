"""The checker that every call of holdfast passes during tests; an int is a float, as Python's typing rules say.

What `jaxtyping` puts around a function checks the arguments twice and binds them by name: on small networks that takes
longer than what is tested. Ours checks each value once; classes, generators and types in texts are left to theirs.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
once = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError))
theirs = jaxtyping.jaxtyped
SIZES = theirs("context")
"""Within it, the sizes that go by one name are equal; a call within a call begins anew."""


def jaxtyped(value: Any = None, *, typechecker: Any) -> Any:
    """Return a function that checks its arguments and what it returns, unless the checks are switched off."""
    if value is None:
        return functools.partial(jaxtyped, typechecker=typechecker)
    hints = list(getattr(value, "__annotations__", {}).values())
    if not inspect.isfunction(value) or inspect.isgeneratorfunction(value) or any(map(_is_text, hints)):
        return theirs(value, typechecker=typechecker)
    checked = once(value)
    return _unless_off(value, _measured(checked) if any(map(_holds_arrays, hints)) else checked)


def _unless_off(bare: Callable[..., Any], checked: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(bare)
    def called(*args: Any, **kwargs: Any) -> Any:
        return (bare if jaxtyping.config.jaxtyping_disable else checked)(*args, **kwargs)

    return called


def _measured(checked: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        with SIZES:
            return checked(*args, **kwargs)

    return called


def _is_text(hint: Any) -> bool:
    return isinstance(hint, str) or any(map(_is_text, _inside(hint)))


def _holds_arrays(hint: Any) -> bool:
    is_array = isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)
    return is_array or any(map(_holds_arrays, _inside(hint)))


def _inside(hint: Any) -> tuple[Any, ...]:
    """Return what a type is made of; a literal's values are no types."""
    if get_origin(hint) is Literal:
        return ()
    return tuple(hint) if isinstance(hint, list) else get_args(hint)


jaxtyping.jaxtyped = jaxtyped  # the import hook looks it up here
