"""A value that someone's own file holds: "path/to/file.py:name". The file is run: it is code, and it is trusted."""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from holdfast.errors import HoldfastError, UnknownName, UsageError, reason, require
from holdfast.storage.behaviour import installed

Value = TypeVar("Value")

PREFIX = "holdfast_file_"
"""How the modules are called that such files become."""
BESIDE: dict[str, Path] = {}
"""The modules that such files imported from beside themselves, and the folder of the last one of each name."""


def value_in(place: str, kind: str, usable: Callable[[Any], bool], use: Callable[[Any], Value]) -> Value:
    """Return what `use` makes of the value that "file.py:name" names, while the file may still import its neighbours.

    `kind` says what should be there, and `usable` whether it is.

    Raises:
        UsageError: there is no such file, its code raised an error, or it holds nothing usable of that name.
    """
    path, colon, name = place.rpartition(":")
    named = f"'{place}': a {kind} in a file is named 'path/to/file.py:{kind}'"
    require(bool(colon and path and name), named, UsageError)
    file = Path(path)
    require(file.is_file() and file.suffix == ".py", f"'{place}': there is no Python file {path}", UsageError)
    try:
        with neighbours(file.parent.resolve()):
            inside = vars(_run(file))
            if not usable(inside.get(name)):
                own = [word for word, value in inside.items() if usable(value) and not word.startswith("_")]
                raise UnknownName(kind, name, own)
            return use(inside[name])
    except HoldfastError:
        raise
    except (Exception, SystemExit) as fault:
        raise UsageError(f"'{place}' raised {type(fault).__name__}: {reason(fault)}") from fault


@contextmanager
def neighbours(folder: Path) -> Iterator[None]:
    """Let a file import those beside it, and not those of the same names beside a file before it."""
    before = {name: sys.modules.pop(name) for name, place in BESIDE.items() if place != folder and name in sys.modules}
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        new = {name for name in set(sys.modules) - known if _beside(sys.modules[name], folder)}
        for name in new & set(before):  # which of the two a later import means, nobody could tell
            sys.modules.pop(name)
        sys.modules.update({name: module for name, module in before.items() if name not in new})
        BESIDE.update(dict.fromkeys(new, folder))


def _beside(module: ModuleType, folder: Path) -> bool:
    return folder in Path(getattr(module, "__file__", None) or "/").parents and not installed(module)


def blamed(fault: BaseException) -> str | None:
    """Return in one line what a person's own file raised, and where; nothing where none was at work."""
    frames = traceback.walk_tb(fault.__traceback__)
    own = [(frame.f_code.co_filename, line) for frame, line in frames if _own(frame.f_globals.get("__name__", ""))]
    return f"{own[-1][0]}, line {own[-1][1]}: {type(fault).__name__}: {reason(fault)}" if own else None


def _own(module: str) -> bool:
    return module.startswith(PREFIX) or module in BESIDE


def _run(file: Path) -> ModuleType:
    """Run the file as a module."""
    spec = importlib.util.spec_from_file_location(f"{PREFIX}{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up there
    spec.loader.exec_module(module)
    return module
