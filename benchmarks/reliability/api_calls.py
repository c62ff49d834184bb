"""Calls of attacks, audits, AutoAttack and training, each with something odd in it; a call says how it ended."""

import math
import random
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from odd_arguments import ANYTHING, IMAGES, LABELS, NET, PLAIN, odd

import holdfast as hf
from holdfast.attacks import Attack


def shown(kind: type[Attack]) -> Attack:
    """Return the attack with the root of each whole number that it has, in the first norm that it is defined for."""
    norms: dict[type, Any] = {hf.Linf: 0.1, hf.L2: 0.7, hf.L1: 3.0, hf.L0: 5}
    norm = kind.threats[0]
    numbers = {field.name: math.isqrt(field.default) for field in fields(kind) if type(field.default) is int}
    return kind(norm(norms[norm]), **numbers)


ATTACKS = [
    each for name in hf.attacks.__all__
    if isinstance(each := getattr(hf.attacks, name), type) and issubclass(each, Attack) and each is not Attack
]  # fmt: skip


def attack_call(rng: random.Random) -> tuple[str, Callable[[], str]]:
    """Make a call of an attack; half of the time a field of it is odd as well."""
    attack, (name, given) = shown(rng.choice(ATTACKS)), odd(rng)
    field, value = rng.choice([each.name for each in fields(attack)]), rng.choice(ANYTHING)

    def call() -> str:
        own = attack if given.same or rng.random() < 0.5 else replace(attack, **{field: value})
        found = own(given.model, given.images, given.labels)
        outside = own.threat.distance(found, given.images) > own.threat.eps + 1e-5
        if bool(outside.any()) or not 0 <= float(found.min()) <= float(found.max()) <= 1:
            return "outside the ball"
        if not given.same:
            return "fine"
        plain = attack(PLAIN.model, PLAIN.images, PLAIN.labels)
        if torch.equal(found, IMAGES) and not torch.equal(plain, IMAGES):
            return "untouched"
        return "fine" if torch.allclose(found, plain, atol=1e-4) else "another result"

    return f"{type(attack).__name__}, {name}, {field}", call


def audit_call(rng: random.Random) -> tuple[str, Callable[[], str]]:
    """Make an audit; half of the time another of its arguments is odd."""
    name, given = odd(rng)
    argument = rng.choice(("effort", "seed", "batch", "threat", "folder", "precision"))
    more = {} if rng.random() < 0.5 else {argument: rng.choice(ANYTHING)}

    def call() -> str:
        if given.same and not more:
            plain = hf.audit(NET, IMAGES, LABELS, hf.Linf(0.1), "fast")
            found = hf.audit(given.model, given.images, given.labels, hf.Linf(0.1), "fast")
            return "fine" if torch.equal(plain.broken, found.broken) else "another result"
        words = {"threat": hf.Linf(0.1), "effort": "fast"} | more
        hf.audit(given.model, given.images, given.labels, **words)
        return "fine"

    return f"audit, {name}, {argument if more else ''}", call


def autoattack_call(rng: random.Random) -> tuple[str, Callable[[], str]]:
    """Make a call of AutoAttack; half of the time another of its arguments is odd."""
    name, given = odd(rng)
    argument = rng.choice(("norm", "eps", "seed", "version", "device", "log_path", "attacks_to_run", "bs"))
    more = {} if rng.random() < 0.5 else {argument: rng.choice(ANYTHING)}

    def call() -> str:
        words = {"eps": 0.1, "version": "custom", "attacks_to_run": ["apgd-dlr"], "verbose": False} | more
        size = {"bs": words.pop("bs")} if "bs" in words else {}
        found = hf.AutoAttack(given.model, **words).run_standard_evaluation(given.images, given.labels, **size)
        if not given.same or more:
            return "fine"
        plain = hf.AutoAttack(NET, **words).run_standard_evaluation(IMAGES, LABELS)
        return "fine" if torch.allclose(found, plain, atol=1e-4) else "another result"

    return f"AutoAttack, {name}, {argument if more else ''}", call


def train_call(rng: random.Random, folder: Path) -> tuple[str, Callable[[], str]]:
    """Train for an epoch on a few images, with one field or argument that is odd."""
    name = rng.choice([*(field.name for field in fields(hf.Run)), "folder", "device", "data_root", "run"])
    value = rng.choice(ANYTHING)

    def call() -> str:
        own = {"epochs": 1, "limit": 16, "batch": 8}
        known = {field.name for field in fields(hf.Run)}
        run = hf.Run(**own | ({name: value} if name in known else {}))
        shutil.rmtree(folder, ignore_errors=True)
        words: dict[str, Any] = {"run": run, "folder": folder} | ({} if name in known else {name: value})
        hf.train(**words)
        return "fine"

    return f"train, {name} = {value!r:.40}", call
