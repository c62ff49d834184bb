"""Code as a user writes it."""

from types import ModuleType
from typing import Any

FILE = "somebodys.py"


def written(code: str, file: str = FILE) -> Any:
    """Return what the code of a file, or of a prompt, calls `mine`; it may ask a module `ops` for `scale`."""
    space: dict[str, Any] = {"__name__": "somebody", "ops": ModuleType("ops")}
    space["ops"].scale = 2 if "scale = 2" in code else 3
    exec(compile(f"import functools, torch\nfrom torch import nn\n{code}", file, "exec"), space)
    return space["mine"]
