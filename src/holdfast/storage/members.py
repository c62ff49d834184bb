"""What of a class counts in a name: all that its author wrote into it, and nothing that Python or torch adds."""

from dataclasses import fields, is_dataclass
from enum import Enum
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

PLAIN = (FunctionType, bool, int, float, str, tuple)
NO_PART = ("__module__", "__doc__", "__firstlineno__")
"""Plain attributes that change nothing that a class does."""
ADDED = frozenset((
    *("__annotations__", "__annotations_cache__", "__conditional_annotations__", "__class_getitem__", "__hash__"),
    *("__dataclass_fields__", "__dataclass_params__", "__abstractmethods__", "_abc_impl", "__slots__", "__slotnames__"),
    *("__protocol_attrs__", "__non_callable_proto_members__", "_backward_cls", "__constants__"),
    *("__jit_unused_properties__", "__jit_ignored_attributes__"),
))  # fmt: skip
"""Attributes that are not plain and that Python adds, or that speak to torch's compiler alone."""


def plain_members(kind: Any) -> dict[str, object]:
    """Return the functions, numbers, texts and tuples of a class by name, less functions that no file holds."""
    found = {name: _function(getattr(item, "__func__", item)) for name, item in vars(kind).items()}
    return {name: item for name, item in found.items() if _is_plain(name, item) and not _file(item).startswith("<")}


def all_members(kind: Any) -> dict[str, object]:
    """Return all that somebody wrote into a class by name, in a file or at a prompt."""
    found = {name: _unchecked(_function(_unbound(item))) for name, item in vars(kind).items()}
    return {
        name: item
        for name, item in found.items()
        if (_is_plain(name, item) and not _generated(item)) or _is_own(kind, name, item)
    }


def _unbound(item: object) -> object:
    return item.__func__ if isinstance(item, classmethod | staticmethod) else item


def _function(item: object) -> object:
    return item.fget if isinstance(item, property) else item


def _unchecked(item: object) -> object:
    """Return the function that a check of types is around: what beartype writes holds addresses."""
    return getattr(item, "__wrapped__", item) if _file(item).startswith("<@beartype") else item


def _file(item: object) -> str:
    return item.__code__.co_filename if isinstance(item, FunctionType) else ""


def _is_plain(name: str, item: object) -> bool:
    return isinstance(item, PLAIN) and name not in NO_PART


def _is_own(kind: Any, name: str, item: object) -> bool:
    """Say whether somebody wrote an attribute that is not plain."""
    if name in ADDED or name in NO_PART or isinstance(item, (*PLAIN, GetSetDescriptorType, MemberDescriptorType)):
        return False
    if is_dataclass(kind) and name in {field.name for field in fields(kind)}:  # its objects say their fields
        return False
    if issubclass(kind, Enum) and name.startswith("_"):
        return False
    if item is None:  # it says something where it hides what the class builds on
        return any(name in vars(each) for each in kind.__mro__[1:])
    if issubclass(kind, tuple) and hasattr(kind, "_field_defaults"):
        return name not in kind._fields and (name != "_field_defaults" or bool(item))
    return True


def _generated(item: object) -> bool:
    """Say whether a function was written by dataclasses, named tuples or attrs: their fields are said elsewhere."""
    if not isinstance(item, FunctionType):
        return False
    name, inner = item.__name__, item.__code__.co_qualname
    python = inner.startswith("__create_fn__.") or (name, inner) == ("__new__", "<lambda>")
    return (python and _file(item) == "<string>") or _file(item).startswith("<attrs generated")
