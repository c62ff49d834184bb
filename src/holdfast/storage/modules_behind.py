"""The modules that a network is made of, also where a function or an object of any kind asks them."""

import functools
from collections import deque
from collections.abc import Mapping
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.storage.behaviour import OF_EVERY_MODULE, closed_over, installed, names_in, of_a_package

MANY = 10_000
"""How many objects behind a function are looked at for networks, and how long a list of them may be."""


def modules_behind(network: object) -> list[nn.Module]:
    """Return every module that a network is made of, also behind functions, methods, partials and objects that call it.

    Looked at are attributes, closures, defaults, what functions and their kinds ask for by name, and what lists and
    mappings hold; the names in installed packages are not searched. Of a module that is found every part is returned,
    however many. What a function finds only while it runs, by a string or from an iterator, stays unseen.
    """
    found: dict[int, object] = {}
    waiting = [network]
    while waiting and len(found) < MANY:
        value = waiting.pop()
        if id(value) not in found:
            found[id(value)] = value
            waiting += [part for part in _parts(value) if not isinstance(part, _PLAIN)]
    modules, known = (value for value in found.values() if isinstance(value, nn.Module)), set[nn.Module]()
    return [part for module in modules for _, part in module.named_modules(known)]


_HOLDERS = (Mapping, tuple, list, set, frozenset, deque)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Tensor, torch.dtype, torch.device)


def _parts(value: object) -> list[object]:
    """Return what a value is made of, or asks for, without running any of its code."""
    kind: Any = type(value)
    if isinstance(value, nn.Module):
        own = [item for name, item in vars(value).items() if name not in OF_EVERY_MODULE]
        hooks = [*value._forward_pre_hooks.values(), *value._forward_hooks.values()]
        return [*value.children(), *own, *hooks, *_own_kinds(kind)]
    if isinstance(value, _HOLDERS):
        items = list(value.values()) if isinstance(value, Mapping) else list(value)
        return items if len(items) <= MANY else []
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, FunctionType):
        return [*(closed_over(value) if of_a_package(value) else _asked(value)), *vars(value).values()]
    if isinstance(value, type):
        return [] if of_a_package(value) else [getattr(each, "__func__", each) for each in vars(value).values()]
    if isinstance(value, property):
        return [value.fget]
    if isinstance(value, ModuleType):
        return []
    kinds = _own_kinds(kind)
    slots = [item for kind in kinds for item in vars(kind).values() if isinstance(item, MemberDescriptorType)]
    held = [getattr(value, slot.__name__, None) for slot in slots]
    return [*getattr(value, "__dict__", {}).values(), *held, *kinds]


@functools.cache
def _own_kinds(kind: Any) -> tuple[type, ...]:
    """Return a class and those that it builds on, less those of installed packages."""
    return tuple(each for each in kind.__mro__ if not of_a_package(each))


def _asked(function: FunctionType) -> list[object]:
    """Return what a function can reach: its closure, its defaults, and the globals that it names."""
    names = names_in(function.__code__)
    used = [function.__globals__[name] for name in names if name in function.__globals__]
    modules = [item for item in used if isinstance(item, ModuleType) and not installed(item)]
    inside = [vars(module)[name] for module in modules for name in names if name in vars(module)]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [*closed_over(function), *defaults, *used, *inside]
