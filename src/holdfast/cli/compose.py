"""From names on the command line to a run: `TRADES FGSM L2 AdamW Triangle CropFlip` chooses each part by its kind."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from holdfast import attacks, methods
from holdfast.data import CropFlip
from holdfast.errors import UnknownName, UsageError, require
from holdfast.threats import NORMS, Threat
from holdfast.training import optimizers, schedules
from holdfast.training.run import Run

PLACES = (optimizers.Optimizer, schedules.Schedule, CropFlip, methods.Method, Threat)
"""Kinds of which a run has one; whatever is none of them is an attack."""


def attack_kinds() -> Mapping[str, type[attacks.Attack]]:
    """Return every attack by name."""
    return {name: getattr(attacks, name) for name in sorted(attacks.__all__) if name != "Attack"}


def method_kinds() -> Mapping[str, type[methods.Method]]:
    """Return every method of training by name."""
    found = {name: getattr(methods, name) for name in sorted(methods.__all__)}
    kinds = {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, methods.Method)}
    return {name: kind for name, kind in kinds.items() if kind not in (methods.Method, methods.LossMethod)}


def part_kinds() -> Mapping[str, type[Any]]:
    """Return everything that a run is made of, besides its method, by name."""
    kinds = [kind for kind in (vars(optimizers) | vars(schedules)).values() if isinstance(kind, type)]
    moving = (optimizers.Optimizer, schedules.Schedule)
    movers = {kind.__name__: kind for kind in kinds if issubclass(kind, moving) and kind not in moving}
    return {**movers, **attack_kinds(), **NORMS, "CropFlip": CropFlip}


def chosen_run(names: Sequence[str]) -> Run:
    """Return a run of the method that the first name means, with the parts that the other names mean.

    Raises:
        UnknownName: nothing has that name.
        UsageError: an attack is named for a method that makes none, or two parts for one place.
    """
    run = Run(known(method_kinds(), "method", names[0])())
    taken: dict[type[Any], str] = {}
    kinds: list[type[Any]] = []
    for name in names[1:]:
        inner = method_kinds() if isinstance(run.method, methods.Guarded) else {}
        kind = known({**part_kinds(), **inner}, "attack, norm, optimizer, schedule or augmentation", name)
        place = next((each for each in PLACES if issubclass(kind, each)), attacks.Attack)
        require(place not in taken, f"{taken.get(place)} and {name} would take the same place: name one", UsageError)
        taken[place] = name
        kinds.append(kind)
    # A guarded method before what it trains on, and the norm before an attack that may be defined for that norm alone.
    for kind in sorted(
        kinds, key=lambda kind: (not issubclass(kind, methods.Method), issubclass(kind, attacks.Attack))
    ):
        run = _with_part(run, kind)
    return run


def _with_part(run: Run, kind: type[Any]) -> Run:
    if issubclass(kind, optimizers.Optimizer):
        return replace(run, optimizer=kind())
    if issubclass(kind, schedules.Schedule):
        return replace(run, schedule=kind())
    if issubclass(kind, CropFlip):
        return replace(run, augment=kind())
    if isinstance(run.method, methods.Guarded):
        bare = replace(run, method=run.method.method)
        guarded = kind() if issubclass(kind, methods.Method) else _with_part(bare, kind).method
        return replace(run, method=replace(run.method, method=guarded))
    if issubclass(kind, Threat):
        return replace(run, method=_against(run.method, kind))
    crafts: tuple[Any, ...] = getattr(run.method, "crafts", ())
    inner = getattr(run.method, "attack", None) or (crafts[0] if len(crafts) == 1 else None)
    if inner is None:
        raise UsageError(f"{type(run.method).__name__} trains on no attack, so {kind.__name__} has no place in it")
    # What the method needs of its attack (TRADES the divergence, say) goes over to the one that was named.
    # One that compares with labels alone has an objective of its own.
    kept = {f.name for f in fields(kind)} & {"threat", "objective", "random_start"}
    kept -= {"objective"} if getattr(kind, "labelled", False) else set()
    named = kind(**{name: getattr(inner, name) for name in kept if hasattr(inner, name)})
    changes: dict[str, Any] = {"crafts": (named,)} if crafts else {"attack": named}
    return replace(run, method=replace(run.method, **changes))


def _against(method: methods.Method, norm: type[Threat]) -> methods.Method:
    """Return the method with the usual radius of a norm in place of its own."""
    changes: dict[str, Any] = {}
    if hasattr(method, "attack"):
        changes = {"attack": against(method.attack, norm)}
    elif hasattr(method, "threat"):
        changes = {"threat": norm()}
    require(
        bool(changes), f"{type(method).__name__} has no norm to choose: {norm.__name__} has no place in it", UsageError
    )
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


def with_others(run: Run, others: Sequence[Run]) -> Run:
    """Return the run with a method that uses other runs: their networks, or images saved from them.

    Raises:
        UsageError: its method uses none.
    """
    if not others:
        return run
    method = run.method
    if isinstance(method, methods.EAT):
        return replace(run, method=replace(method, sources=tuple(others)))
    if isinstance(method, methods.Kurakin | methods.UnifiedEmbedding):
        # Saved up to the largest eps that the method itself attacks with.
        sizes = [craft.threat.eps for craft in method.crafts if isinstance(craft, attacks.Attack)]
        largest = math.ceil(255 * max(sizes, default=16 / 255) - 1e-6)
        saved = tuple(methods.Saved(other, largest) for other in others)
        return replace(run, method=replace(method, crafts=(*method.crafts, *saved)))
    raise UsageError(f"{type(method).__name__} uses no other runs; EAT, Kurakin and UnifiedEmbedding do")


def known(kinds: Mapping[str, type[Any]], what: str, name: str) -> type[Any]:
    """Return the kind of that name, whatever its case."""
    by_word = {word.lower(): kind for word, kind in kinds.items()}
    if name.lower() not in by_word:
        raise UnknownName(what, name, kinds)
    return by_word[name.lower()]
