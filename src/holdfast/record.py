"""Writing things down: values as text, a name for each value, weights and states as files that are whole or absent."""

import fcntl
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from holdfast.behaviour import own_code
from holdfast.errors import BadRecord, BadValue

Described = dict[str, Any] | list[Any] | str | int | float | bool | None


def later(default: Any) -> Any:
    """Return a dataclass field that came later: descriptions leave it out at its default, so older names stay valid."""
    return field(default=default, metadata={"later": True})


def describe(value: object) -> Described:
    """Return a value as JSON would hold it: dataclasses by kind and fields, functions by name."""
    if is_dataclass(value) and not isinstance(value, type):
        said = {f.name: getattr(value, f.name) for f in fields(value) if not _unsaid(f, value)}
        return {"kind": type(value).__name__} | {name: describe(item) for name, item in said.items()}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    name = getattr(value, "__qualname__", None) if callable(value) else None
    if isinstance(name, str):
        if "<" in name:
            raise BadValue(f"{name} has no name of its own to be written down by: define it in a module")
        return {"kind": "function", "name": name}
    raise TypeError(f"{type(value).__name__} cannot be written down")


def _unsaid(field: "Field[Any]", value: object) -> bool:
    return bool(field.metadata.get("later")) and getattr(value, field.name) == field.default


def fingerprint(value: object) -> str:
    """Return a short name made of everything that `value` says, the same in every process.

    Functions and kinds from outside holdfast count with what they do, so one's own attack, edited, is another.
    """
    text = json.dumps(describe(value), sort_keys=True, separators=(",", ":"))
    if own := own_code(value):
        text += json.dumps(own)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def restore(described: Described, known: Mapping[str, Any]) -> Any:
    """Return the value that `describe` wrote down; `known` maps kinds and functions to what makes them.

    Raises:
        BadRecord: the text names a kind that this version does not know.
    """
    if isinstance(described, list):
        return tuple(restore(item, known) for item in described)
    if described in ("inf", "-inf", "nan"):
        return float(str(described))
    if not isinstance(described, dict):
        return described
    kind = described.get("kind")
    if kind == "function":
        return _known(str(described.get("name")), known)
    if kind is None:
        return {key: restore(item, known) for key, item in described.items()}
    made: Callable[..., Any] = _known(kind, known)
    return made(**{key: restore(item, known) for key, item in described.items() if key != "kind"})


def _known(kind: str, known: Mapping[str, Any]) -> Any:
    if kind not in known:
        raise BadRecord(f"it speaks of '{kind}', which this version of holdfast does not know")
    return known[kind]


def difference(old: Described, new: Described, path: str = "") -> list[str]:
    """Return where two described values differ, a line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [line for key in keys for line in difference(old.get(key), new.get(key), f"{path}.{key}".strip("."))]
    return [] if old == new else [f"{path}: {old} there, {new} here"]


def brief(value: object) -> str:
    """Return a value as code would write it, without the fields that keep their defaults."""
    if isinstance(value, tuple):
        return f"({', '.join(map(brief, value))})"
    if not is_dataclass(value) or isinstance(value, type):
        return value.__name__ if callable(value) and hasattr(value, "__name__") else repr(value)
    said = [(f.name, getattr(value, f.name), f.default) for f in fields(value)]
    shown = [
        f"{name}={brief(item)}"
        for name, item, default in said
        if default is MISSING or item != default or name in ("eps", "threat")
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` only when all is written and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder; the system forgets the lock of a process that dies.

    Raises:
        BadRecord: another process is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BadRecord(f"another process is at work in {folder}: wait for it, or choose another folder") from error
    finally:
        os.close(lock)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write a described value as JSON, whole or not at all."""
    write_text(path, json.dumps(describe(value), indent=1) + "\n")


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON; a file that cannot be read is named, with what to do."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadRecord(f"{path} is missing: {remedy}") from error
    except (OSError, ValueError) as error:
        raise BadRecord(f"{path} is damaged ({type(error).__name__}): {remedy}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **words: str) -> None:
    """Write named tensors as safetensors, with words about them, whole or not at all."""
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata=words or None)
    with whole(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read a safetensors file onto the processor; where it says the fingerprint of its tensors, it is compared."""
    if not path.exists():
        raise BadRecord(f"{path} is missing: {remedy}")
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get("fingerprint")
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadRecord(f"{path} is damaged ({error}): {remedy}") from error
    changed = said is not None and said != fingerprint_of_tensors(tensors)
    if changed:
        raise BadRecord(f"{path} was changed since it was written: {remedy}")
    return tensors


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state (tensors, numbers, names), whole or not at all."""
    with whole(path) as temporary:
        torch.save(dict(state), temporary)


def read_state(path: Path, remedy: str) -> Any:
    """Read a training state; a pickle that holds anything but data is refused, never run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged or foreign file
        reason = "it is a pickle that is not ours" if "weights_only" in str(error).lower() else type(error).__name__
        raise BadRecord(f"{path} cannot be read ({reason}): {remedy}") from error


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Put weights into a network; weights of another network are refused with the first difference."""
    own = model.state_dict()
    # A checkpoint made elsewhere knows nothing of the normalisation that our networks carry.
    tensors = {name: tensor for name, tensor in own.items() if name.startswith("normalized.")} | dict(tensors)
    missing, foreign = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape]
    if missing or foreign or shapes:
        first = (
            f"it lacks '{missing[0]}'" if missing else f"it has '{foreign[0]}', which the network has not" if foreign
            else f"'{shapes[0]}' is {tuple(tensors[shapes[0]].shape)} there and {tuple(own[shapes[0]].shape)} here"
        )  # fmt: skip
        raise BadRecord(f"{origin} holds the weights of another network than {type(model).__name__}: {first}")
    model.load_state_dict(tensors)


def fingerprint_of_tensors(tensors: Mapping[str, Tensor], *words: str) -> str:
    """Return a short name made of the bytes of named tensors."""
    digest = hashlib.sha256(repr(words).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
