"""A network that a function in someone's file returns: "path/to/file.py:function"."""

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn

from holdfast.errors import BadValue, HoldfastError, UnknownName, UsageError, reason, require
from holdfast.storage.behaviour import installed

PREFIX = "holdfast_file_"
"""How the modules are called that such files become."""
BESIDE: dict[str, Path] = {}
"""The modules that such files imported from beside themselves, and the folder of the last one of each name."""


def from_file(place: str, **options: object) -> nn.Module:
    """Call the function named by "file.py:function" and return its network, which takes images in [0, 1].

    The file is run: it is code, and it is trusted.
    """
    path, colon, name = place.rpartition(":")
    require(
        bool(colon and path and name), f"'{place}': a network in a file is named 'path/to/file.py:function'", UsageError
    )
    file = Path(path)
    require(file.is_file() and file.suffix == ".py", f"'{place}': there is no Python file {path}", UsageError)
    try:
        with neighbours(file.parent.resolve()):
            return _called(_run(file), name, place, options)
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


def _called(module: ModuleType, name: str, place: str, options: dict[str, object]) -> nn.Module:
    """Call the function and check what it returned."""
    function = getattr(module, name, None)
    if not callable(function):
        known = [word for word, value in vars(module).items() if callable(value) and not word.startswith("_")]
        raise UnknownName("function", name, known)
    model = function(**options)
    if not isinstance(model, nn.Module):
        raise BadValue(f"'{place}' returned {type(model).__name__}, not a torch.nn.Module")
    return model
