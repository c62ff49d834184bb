"""The outputs of named layers, seen while a network runs.

A network says where its layers are in a dict on its class, `layers = {"block1": "block1", "penultimate": "pool", …}`,
so no `forward` needs a flag, and what looks at layers works on any network. The value is a module's path; "path:input"
means what that module is given. "features" are the last ones before the global pool, "penultimate" is what the last
layer is given, and "attention" the last map of features that is larger than 1x1 on images of the usual size.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import UnknownName, UsageError, require

OUTPUT = "output"
"""The name that every network has: what the network itself returns."""


@contextmanager
def capture(model: nn.Module, *names: str) -> Iterator[dict[str, Tensor]]:
    """Fill a dict with the outputs of the named layers at each call of `model`; gradients flow through them.

    Each call overwrites the entries of the one before. A compiled network runs uncompiled inside, as compiled code
    calls no hooks. A layer that the network itself changes in place afterwards is seen changed.

        with capture(model, "penultimate") as seen:
            logits = model(images)
        features = seen["penultimate"]
    """
    places = {name: find(model, name) for name in names}
    seen: dict[str, Tensor] = {}
    hooks = [module.register_forward_hook(_keep(seen, name, end)) for name, (module, end) in places.items()]
    try:
        with torch.compiler.set_stance("force_eager") if _compiled(model) else nullcontext():
            yield seen
    finally:
        for hook in hooks:
            hook.remove()


def layer_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names that `capture` knows in this network: its own, or module paths where it names none."""
    return (*_paths(_naming(model)), OUTPUT)


def _keep(seen: dict[str, Tensor], name: str, end: str) -> Callable[..., None]:
    """Return a hook that stores what passes this end of a module."""

    def hook(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        seen[name] = given[0] if end == "input" else output

    return hook


def find(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the module that `name` stands for and which end of it is meant."""
    if name == OUTPUT:
        return model, "output"
    owner = _naming(model)
    paths = _paths(owner)
    if name not in paths:
        raise UnknownName("layer", name, [*paths, OUTPUT])
    path, _, end = paths[name].partition(":")
    return owner.get_submodule(path), end or "output"


def _paths(owner: nn.Module) -> dict[str, str]:
    """Return the path of each name; a module that names no layers is asked by module paths."""
    layers = getattr(owner, "layers", None)
    return layers if isinstance(layers, dict) else {path: path for path, _ in owner.named_modules() if path}


def _naming(model: nn.Module) -> nn.Module:
    """Return the outermost part of `model` that names its layers, or `model` where none does.

    Parts that set `names_no_layers` are passed over with all that is in them: purifiers, whose layers are images still.
    """
    found = [module for module in model.modules() if isinstance(getattr(module, "layers", None), dict)]
    silent = [module for module in model.modules() if getattr(module, "names_no_layers", False)]
    inner = {id(part) for module in (*found, *silent) for part in module.modules() if part is not module}
    outer = [module for module in found if id(module) not in inner]
    kinds = ", ".join(type(module).__name__ for module in outer)
    require(len(outer) < 2, f"several parts of the network name their layers ({kinds}): capture from one", UsageError)
    return outer[0] if outer else model


def _compiled(model: nn.Module) -> bool:
    """Tell whether torch.compile wraps the network or a part of it, without the import that its class would cost."""
    return any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in model.modules())
