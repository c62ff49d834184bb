"""The papers that come with holdfast: the folder `recipes` of our own distribution, and no other of that name.

`python -m holdfast.cli` looks for modules in the folder it is called in first, and a person may have recipes there.
"""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import holdfast
from holdfast.errors import MissingData, require
from holdfast.experiments.paper import Paper

NAME = "recipes"


@cache
def papers() -> Mapping[str, Paper]:
    """Return the papers by name; their tables are built at the first call."""
    place = _place()
    with _called_ours(place):
        module: Any = importlib.import_module(NAME)
    found: Mapping[str, Paper] = module.PAPERS
    return found


def _place() -> Path:
    """Return where our recipes lie: beside the package, or beside src/ in a checkout."""
    beside = Path(holdfast.__file__).resolve().parents[1]
    places = [folder / NAME for folder in (beside, beside.parent) if folder == beside or beside.name == "src"]
    found = [place for place in places if (place / "__init__.py").is_file()]
    require(bool(found), f"holdfast's own {NAME} are missing: there is no {places[-1]}; install it again", MissingData)
    return found[0]


@contextmanager
def _called_ours(place: Path) -> Iterator[None]:
    """Let `import recipes` mean the folder at this place; afterwards it means again what it did."""
    if Path(getattr(sys.modules.get(NAME), "__file__", None) or "/").parent == place:
        yield
        return
    strangers = {name: sys.modules.pop(name) for name in _own_names()}
    spec = importlib.util.spec_from_file_location(NAME, place / "__init__.py", submodule_search_locations=[str(place)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(sys.modules[NAME])
        yield
    finally:
        for name in _own_names():
            sys.modules.pop(name)
        sys.modules.update(strangers)


def _own_names() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == NAME]
