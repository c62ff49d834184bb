"""Images that a function in someone's file returns: "path/to/file.py:function".

It returns a torch Dataset, a DataLoader, an ImageSet or (images, labels) pairs, of the split that it is given: "train"
or "test". One that takes no argument gives test images. The file is run: it is code, and it is trusted.
"""

import inspect
from collections.abc import Callable
from typing import Any

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request
from holdfast.errors import UsageError, require
from holdfast.storage.python_file import value_in


def read(request: Request) -> ImageSet:
    """Return what the function gives for the split."""
    return value_in(request.name, "function", callable, lambda function: ImageSet.of(_called(function, request)))


def _called(function: Callable[..., Any], request: Request) -> Any:
    if inspect.signature(function).parameters:
        return function(request.split)
    words = f"'{request.name}' takes no argument, and so gives test images; for others let it take the split"
    require(not request.train, words, UsageError)
    return function()
