"""What a network or a user's own code does, as text that changes when it does: names alone say too little."""

import argparse
import functools
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from torch import Tensor, nn

from holdfast.storage.held import attributes, cached, settings
from holdfast.storage.members import all_members, plain_members

OURS = "holdfast"
NAMED = frozenset({OURS, "torch", "torchvision", "numpy", *sys.stdlib_module_names})
"""Packages whose code a name is enough for."""
TOOLS = ("filelock", "huggingface_hub", "transformers.utils")
"""Packages, and parts of them, that load networks and keep what each process has anew."""
INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages."""
OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Attributes that torch itself gives to each module: mode, hooks, and the weights, which are asked for by name."""

Text = list[Any] | dict[str, Any] | str


def network_fingerprint(network: nn.Module) -> str:
    """Return a short name made of a network's weights, its parts, their settings, and the code of those not of torch's.

    The mode, the layout in memory and hooks of the backward pass do not count.
    """
    return hashlib.sha256(json.dumps(_Reader().text(network)).encode()).hexdigest()[:12]


def own_code(value: object) -> list[Text]:
    """Return what a value's functions and kinds from outside holdfast do; nothing where there are none."""
    return _Reader().own_code(value)


class _Reader:
    """Writes values down; what comes twice, or holds itself, is written down once."""

    def __init__(self) -> None:
        self.met: dict[int, tuple[int, object]] = {}
        """By id: a number, and the object itself, so that its id is not given to another."""

    def text(self, value: object) -> Text:
        """Return a value as text."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | torch.dtype):
            return repr(value)
        if isinstance(value, Tensor) or (hasattr(value, "tobytes") and hasattr(value, "dtype")):
            return _bytes(value)
        if id(value) in self.met:
            return f"met {self.met[id(value)][0]}"
        self.met[id(value)] = len(self.met), value
        return self._inside(value)

    def own_code(self, value: object) -> list[Text]:
        """Return the code of a description's own functions and kinds, in order."""
        if isinstance(value, Mapping):
            return [text for item in value.values() for text in self.own_code(item)]
        if isinstance(value, tuple | list):
            return [text for item in value for text in self.own_code(item)]
        if isinstance(value, MethodType):
            named = _named(value) and isinstance(value.__self__, type) and _named(value.__self__)
            return [] if named else [self.text(value)]
        if isinstance(value, FunctionType) or _wraps(value):
            return [] if _named(value) else [self.text(value)]
        if not hasattr(value, "__dataclass_fields__"):
            return []
        said = [] if _named(type(value)) else [self.text(type(value))]
        fields = [getattr(value, name, None) for name in value.__dataclass_fields__]
        return said + self.own_code(fields)

    def _inside(self, value: object) -> Text:
        if isinstance(value, WeakKeyDictionary | WeakValueDictionary):  # it fills while code runs
            return []
        if isinstance(value, Mapping):
            return sorted(([self._key(key), self.text(item)] for key, item in value.items()), key=lambda pair: pair[0])
        if isinstance(value, tuple | list):
            return [self.text(item) for item in value]
        if isinstance(value, set | frozenset):
            return sorted(json.dumps(self.text(item)) for item in sorted(value, key=_order))
        if isinstance(value, functools.partial):
            return [self.text(value.func), self.text(value.args), self.text(value.keywords)]
        if isinstance(value, MethodType):
            return [self.text(value.__self__), self.text(value.__func__)]
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, nn.Module):
            return self._module(value)
        return self._object(value)

    def _key(self, key: object) -> str:
        said = repr(key)
        return json.dumps(self.text(key)) if " at 0x" in said else said  # an address is another in each process

    def _module(self, module: nn.Module) -> Text:
        tensors = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        kind: Any = type(module)
        left_out = OF_EVERY_MODULE | cached(kind)
        own = {name: item for name, item in vars(module).items() if name not in left_out}
        parts = dict(module.named_children())
        hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        said = [self.text(type(module)), *(self.text(part) for part in (tensors, own, parts))]
        return [*said, self.text(hooks)] if hooks else said

    def _object(self, value: object) -> Text:
        if callable(value) and hasattr(value, "__qualname__") and (_named(value) or not _wraps(value)):
            return _name(value)  # a function written in C
        kind = self.text(type(value))
        ours = type(value).__module__.split(".")[0] == OURS or isinstance(value, argparse.Namespace | SimpleNamespace)
        inside = attributes(value) if ours or not _named(type(value)) else settings(value)
        return [kind] if inside is None else [kind, self.text(inside)]

    def _class(self, kind: type) -> Text:
        own = [each for each in kind.__mro__ if not _named(each)]
        return [_name(kind), *([_name(each), self._members(each)] for each in own)]

    def _members(self, kind: type) -> Text:
        return self.text(plain_members(kind) if of_a_package(kind) or _in_c(kind) else all_members(kind))

    def _function(self, function: FunctionType) -> Text:
        closed = closed_over(function)
        if _named(function):
            return [_name(function), self.text(closed)]
        code = function.__code__
        known, names = function.__globals__, names_in(code)
        if of_a_package(function):  # it changes with a version alone, and its networks keep the names that they had
            names = list(code.co_names)
        used = {name: known.get(name) for name in names if name in code.co_names or name in known}
        modules = [item for item in used.values() if isinstance(item, ModuleType) and not installed(item)]
        used = {name: item for name, item in used.items() if not isinstance(item, ModuleType)}
        for module in modules:  # of a module, and of those inside it, what is asked of it by name
            asked = {f"{module.__name__}.{name}": vars(module).get(name) for name in names}
            inner = [item for item in asked.values() if isinstance(item, ModuleType)]
            modules += [item for item in inner if not installed(item) and item not in modules]
            used |= {name: item for name, item in asked.items() if item is not None and item not in inner}
        defaults = [function.__defaults__, function.__kwdefaults__]
        return [_name(function), self._code(code), self.text(defaults), self.text(closed), self.text(used)]

    def _code(self, code: CodeType) -> Text:
        inner = [self._code(item) if isinstance(item, CodeType) else self.text(item) for item in code.co_consts]
        return [hashlib.sha256(code.co_code).hexdigest(), list(code.co_names), inner]


def closed_over(function: FunctionType) -> list[object]:
    """Return what a function closes over; that of a package's decorator is the function that it is around."""
    return [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]


def names_in(code: CodeType) -> list[str]:
    """Return the names that code asks for, its own first, then those of functions and comprehensions inside it."""
    inner = [name for item in code.co_consts if isinstance(item, CodeType) for name in names_in(item)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _named(what: Any) -> bool:
    module = getattr(what, "__module__", None) or ""
    return module.split(".")[0] in NAMED or any(f"{module}.".startswith(f"{tool}.") for tool in TOOLS)


def installed(module: ModuleType) -> bool:
    """Say whether a module is Python's, ours or a package's, and no file of one's own."""
    places = Path(getattr(module, "__file__", None) or "").parts
    return module.__name__.split(".")[0] in NAMED or any(folder in places for folder in INSTALLED)


def of_a_package(what: FunctionType | type) -> bool:
    """Say whether a function or a class is of Python's, ours or a package's."""
    module = sys.modules.get(what.__module__ or "")
    return module is not None and installed(module)


def _name(what: Any) -> str:
    return f"{getattr(what, '__module__', None)}.{what.__qualname__}"


def _in_c(kind: type) -> bool:
    return type(kind).__module__ == "pybind11_builtins"


def _order(item: Any) -> str:
    """Return by what the items of a set are put in one order, which is that of addresses otherwise."""
    name = getattr(item, "__qualname__", None)
    return name if isinstance(name, str) else repr(item) if isinstance(item, int | str) else type(item).__qualname__


def _wraps(what: object) -> bool:
    return "__wrapped__" in getattr(what, "__dict__", {})


def _bytes(value: Any) -> Text:
    tensor = torch.as_tensor(value).detach().cpu().contiguous().flatten()
    return [str(value.dtype), list(value.shape), hashlib.sha256(tensor.view(torch.uint8).numpy().tobytes()).hexdigest()]
