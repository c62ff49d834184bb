"""A reader of pickles that runs nothing: tensors and plain containers come out, and everything else as stand-ins.

A pickle is a program that calls what it names. Here only what makes tensors, dictionaries and the like is called;
every other name becomes a class without behaviour, so that numbers of numpy, arguments of a script, code objects of
dill and whole networks do not keep their weights from being read. What was named is remembered for messages.
"""

import pickle
from collections.abc import Callable, Mapping
from io import BufferedIOBase
from typing import Any

import torch
from torch import Tensor

Storage = Callable[[Any], Tensor]
"""What returns the flat tensor that a pickle refers to by an identity."""


class Held(dict[Any, Any]):
    """A dictionary of a pickle; what else an ordered or defaulting one carries is forgotten."""

    def __setstate__(self, state: object) -> None:
        """Forget the attributes, as the versions of modules in a state dict."""


class _Defaulting(Held):
    def __init__(self, factory: object = None, *items: Any) -> None:
        super().__init__(*items)


class StandIn:
    """What stands for an object that was not made: it takes whatever the pickle gives it, and does nothing."""

    state: object = None

    def __init__(self, *args: object) -> None:
        """Forget the arguments."""

    def __new__(cls, *args: object) -> "StandIn":
        """Make one, whatever the arguments."""
        return super().__new__(cls)

    def __call__(self, *args: object) -> "StandIn":
        """Return another, as the result of a function that was not called."""
        return StandIn()

    def __setstate__(self, state: object) -> None:
        """Keep what the object would have been made of."""
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        """Forget an item."""

    def append(self, item: object) -> None:
        """Forget an item."""

    def extend(self, items: object) -> None:
        """Forget items."""

    add = append


class _Unchanged:
    """What a pickle cannot change: attributes that it gives are refused."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes what it is read with")


class Kind(_Unchanged):
    """The type of a storage: which numbers it holds."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class _Function(_Unchanged):
    """A function of ours in the place of torch's."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.call = call

    def __call__(self, *args: object) -> object:
        return self.call(*args)


_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return torch.as_strided(storage, tuple(size), tuple(stride), offset)


def _parameter(tensor: Tensor, *_: object) -> Tensor:
    return tensor


def _subclass(function: Callable[..., object], kind: object, args: tuple[object, ...], state: object) -> object:
    return function(*args)


_CALLED: Mapping[tuple[str, str], object] = {
    ("collections", "OrderedDict"): Held,
    ("collections", "defaultdict"): _Defaulting,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): _Function(_parameter),
    ("torch._tensor", "_rebuild_from_type_v2"): _Function(_subclass),
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (set, frozenset)},
}


class Reader(pickle.Unpickler):
    """An unpickler that makes tensors and plain containers only; `asked_for` are the names that it did not follow."""

    def __init__(self, file: BufferedIOBase, storage: Storage, asked_for: set[str]) -> None:
        super().__init__(file, encoding="latin1")  # Python 2 wrote texts that are not UTF-8
        self.storage = storage
        self.asked_for = asked_for

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for here, or a class of stand-ins."""
        if (known := _CALLED.get((module, name))) is not None:
            return known
        if module in ("torch", "torch.cuda", "torch.storage") and name in _STORAGES:
            return Kind(_STORAGES[name])
        self.asked_for.add(f"{module}.{name}")
        return type(name, (StandIn,), {})

    def persistent_load(self, identity: Any) -> Any:
        """Return a storage, or the class of a whole network that torch.save noted with its source."""
        if isinstance(identity, tuple) and identity and identity[0] == "module":
            return identity[1]
        return self.storage(identity)


def plain(value: object) -> object:
    """Return what a reader made with whole networks as dictionaries of their tensors."""
    if isinstance(value, StandIn):
        return _state_of(value) or value
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def _state_of(network: StandIn) -> dict[str, Tensor]:
    """Return the tensors of a network that was saved whole, under the names of its state dict."""
    state = network.state if isinstance(network.state, dict) else {}
    found: dict[str, Tensor] = {}
    for kind in ("_parameters", "_buffers"):
        own = state.get(kind)
        found |= {name: each for name, each in own.items() if isinstance(each, Tensor)} if isinstance(own, dict) else {}
    parts = state.get("_modules")
    for name, part in parts.items() if isinstance(parts, dict) else ():
        below = _state_of(part) if isinstance(part, StandIn) else {}
        found |= {f"{name}.{inside}": each for inside, each in below.items()}
    return found
