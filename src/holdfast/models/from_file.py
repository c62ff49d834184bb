"""A network that a function in someone's file returns: "path/to/file.py:function"."""

import hashlib
from pathlib import Path

from torch import nn

from holdfast.errors import BadValue
from holdfast.storage.python_file import value_in


def from_file(place: str, **options: object) -> nn.Module:
    """Call the function named by "file.py:function" and return its network, which takes images in [0, 1].

    The file is run: it is code, and it is trusted.
    """
    model = value_in(place, "function", callable, lambda function: function(**options))
    if not isinstance(model, nn.Module):
        raise BadValue(f"'{place}' returned {type(model).__name__}, not a torch.nn.Module")
    return model


def text_name(model: str) -> str:
    """Return a short name made of the text of the file behind "file.py:function"; "" where there is no such file."""
    path = Path(model.rpartition(":")[0])
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.suffix == ".py" and path.is_file() else ""
