"""From a method and the parts that options name to a run: `AT --attack PGD --norm L2 --optimizer AdamW`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from holdfast import attacks, methods
from holdfast.cli.parts import METHODS, PARTS, known, named_parts
from holdfast.errors import UsageError, require
from holdfast.threats import Threat
from holdfast.training.run import Run


def chosen_run(method: str, words: Sequence[str] = ()) -> Run:
    """Return a run of the method of that name, with the parts that the options among the words name.

    Raises:
        UnknownName: nothing has a name that is given.
        UsageError: a part has no place in the method: an attack, say, where it makes none.
    """
    return with_parts(Run(known(METHODS, "method", method)()), named_parts(words))


def with_parts(run: Run, parts: Mapping[str, type[Any]]) -> Run:
    """Return the run with these parts in place of its own."""
    for part, kind in ((part, parts[part]) for part in PARTS if part in parts):
        if part in ("optimizer", "schedule", "augment", "average", "select"):
            run = replace(run, **{part: kind()})
        else:
            run = replace(run, method=_with_part(run.method, part, kind))
    return run


def _with_part(method: methods.Method, part: str, kind: type[Any]) -> methods.Method:
    """Return the method with a part that is a method's: of one around another, with a part of the one inside."""
    if isinstance(method, methods.Guarded | methods.AWP):
        inner: Any = kind() if part == "guards" else _with_part(method.method, part, kind)
        return replace(method, method=inner)
    name = type(method).__name__
    words = f"--guards {kind.__name__}: Guarded and AWP train by another method, {name} does not"
    require(part != "guards", words, UsageError)
    return _against(method, kind) if part == "norm" else _on(method, kind)


def _on(method: methods.Method, kind: type[attacks.Attack]) -> methods.Method:
    """Return the method with an attack of this kind in place of its own."""
    adversaries: tuple[Any, ...] = getattr(method, "adversaries", ())
    inner = getattr(method, "attack", None) or (adversaries[0] if len(adversaries) == 1 else None)
    if inner is None:
        name = type(method).__name__
        raise UsageError(f"{name} trains on no attack to choose: --attack {kind.__name__} has no place in it")
    # What the method needs of its attack (TRADES the divergence, say) goes over to the one that was named.
    # One that compares with labels alone has an objective of its own.
    kept = {f.name for f in fields(kind)} & {"threat", "objective", "random_start"}
    kept -= {"objective"} if getattr(kind, "labelled", False) else set()
    named = kind(**{name: getattr(inner, name) for name in kept if hasattr(inner, name)})
    changes: dict[str, Any] = {"adversaries": (named,)} if adversaries else {"attack": named}
    return replace(method, **changes)


def _against(method: methods.Method, norm: type[Threat]) -> methods.Method:
    """Return the method with the usual radius of a norm in place of its own."""
    changes: dict[str, Any] = {}
    if hasattr(method, "attack"):
        changes = {"attack": against(method.attack, norm)}
    elif hasattr(method, "threat"):
        changes = {"threat": norm()}
    words = f"{type(method).__name__} has no norm to choose: --norm {norm.__name__} has no place in it"
    require(bool(changes), words, UsageError)
    return replace(method, **changes)


def against(attack: attacks.Attack, norm: type[Threat]) -> attacks.Attack:
    """Return the attack with the usual radius of a norm; its step is its kind's again, as large beside that radius."""
    kind: Callable[[], Any] = type(attack)
    usual, threat = kind(), norm()
    changes: dict[str, Any] = {"threat": threat}
    if hasattr(usual, "step_size"):
        scaled = usual.step_size is not None and usual.threat.eps < math.inf
        changes["step_size"] = usual.step_size * threat.eps / usual.threat.eps if scaled else usual.step_size
    return replace(attack, **changes)
