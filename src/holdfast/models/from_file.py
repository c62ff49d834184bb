"""A network that a function in someone's file returns: "path/to/file.py:function"."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from torch import nn

from holdfast.errors import BadValue, HoldfastError, UnknownName, UsageError, require


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
    sys.path.insert(0, str(file.parent.resolve()))  # so that the file can import its neighbours
    try:
        return _called(_run(file), name, place, options)
    except HoldfastError:
        raise
    except Exception as fault:
        raise UsageError(f"'{place}' raised {type(fault).__name__}: {fault}") from fault
    finally:
        sys.path.remove(str(file.parent.resolve()))


def _run(file: Path) -> ModuleType:
    """Run the file as a module."""
    spec = importlib.util.spec_from_file_location(f"holdfast_file_{file.stem}", file)
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
