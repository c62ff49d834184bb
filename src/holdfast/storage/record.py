"""Writing things down: values as text, a name for each value, weights and states as files that are whole or absent."""

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from holdfast.errors import BadRecord, BadValue, require
from holdfast.storage.behaviour import own_code
from holdfast.storage.files import whole

Described = dict[str, Any] | list[Any] | str | int | float | bool | None
SIGNATURE, FINGERPRINT = "signature", "fingerprint"
"""Under which words JSON and safetensors carry a name made of all that they say."""


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
    if isinstance(value, Integral):  # numpy's numbers are written as Python's
        return int(value)
    if isinstance(value, Real):
        value = float(value)
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
    own = own_code(value)
    return _name_of(describe(value), json.dumps(own) if own else "")


def name_of_fields(value: object) -> str:
    """Return a short name made of the fields of `value` alone: what code of one's own does counts nothing."""
    return _name_of(describe(value))


def _name_of(described: Described, more: str = "") -> str:
    text = json.dumps(described, sort_keys=True, separators=(",", ":")) + more
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


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def signed_json(value: object) -> str:
    """Return a value that is described by named fields as JSON with a signature, which `read_json` looks at."""
    said = describe(value)
    assert isinstance(said, dict), "only what has named fields can carry a signature"
    return json.dumps(said | {SIGNATURE: _name_of(said)}, indent=1)


def write_json(path: Path, value: object) -> None:
    """Write a value that is described by named fields as signed JSON, whole or not at all."""
    write_text(path, signed_json(value) + "\n")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read signed JSON; a file that is not as it was written is named, with what to do.

    Raises:
        BadRecord: it is missing or damaged, was changed since it was written, or carries no signature.
    """
    value, signed = _value_and_whether_signed(path, remedy)
    require(signed, _unsigned(path, remedy), BadRecord)
    assert isinstance(value, dict)
    return value


def read_any_json(path: Path, remedy: str) -> Any:
    """Read JSON that an older version may have written; the signature is checked where there is one."""
    return _value_and_whether_signed(path, remedy)[0]


def _check_regular(path: Path, remedy: str) -> None:
    """Refuse a pipe or a device, which would be read without end."""
    require(path.is_file() or not path.exists(), f"{path} is no regular file: {remedy}", BadRecord)


def _value_and_whether_signed(path: Path, remedy: str) -> tuple[Any, bool]:
    _check_regular(path, remedy)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadRecord(f"{path} is missing: {remedy}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecord(f"{path} is damaged ({type(error).__name__}): {remedy}") from error
    if not isinstance(value, dict) or SIGNATURE not in value:
        return value, False
    said = value.pop(SIGNATURE)
    require(said == _name_of(value), _changed(path, remedy), BadRecord)
    return value, True


def _changed(path: Path, remedy: str) -> str:
    return f"{path} was changed since it was written: {remedy}"


def _unsigned(path: Path, remedy: str) -> str:
    return f"{path} carries no signature (an older version wrote it, or it was changed): {remedy}"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **words: str) -> None:
    """Write named tensors as signed safetensors, with words about them, whole or not at all."""
    said = [f"{name}={word}" for name, word in sorted(words.items())]
    # All in one word: safetensors writes several in any order, and the same weights should be the same file.
    signature = {FINGERPRINT: " ".join([fingerprint_of_tensors(tensors, *said), *said])}
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata=signature)
    with whole(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: Path, remedy: str, **words: str) -> dict[str, Tensor]:
    """Read signed safetensors onto the processor; what was written with other words belongs elsewhere.

    Raises:
        BadRecord: the file is missing or damaged, was changed since it was written, carries no signature, or is of
            another run or cell than `words` say.
    """
    tensors, said = _tensors_and_words(path, remedy)
    require(said is not None, _unsigned(path, remedy), BadRecord)
    for name, word in words.items():
        there = (said or {}).get(name, word)  # what an older version wrote says nothing of it
        other = f"{path} was written for another {name} ({there}, not {word}): {remedy}"
        require(there == word, other, BadRecord)
    return tensors


def read_any_tensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read safetensors that anybody may have written; the signature is checked where there is one."""
    return _tensors_and_words(path, remedy)[0]


def _tensors_and_words(path: Path, remedy: str) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """Return tensors, and the words that they were signed with; None where they carry no signature."""
    if not os.path.lexists(path):
        raise BadRecord(f"{path} is missing: {remedy}")
    _check_regular(path, remedy)
    try:
        with safe_open(path, framework="pt") as file:
            signature = (file.metadata() or {}).get(FINGERPRINT)
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BadRecord(f"{path} is damaged ({' '.join(str(error).split())}): {remedy}") from error
    if signature is None:
        return tensors, None
    name, *said = signature.split(" ")
    require(name == fingerprint_of_tensors(tensors, *said), _changed(path, remedy), BadRecord)
    return tensors, dict(word.split("=", 1) for word in said)


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state (tensors, numbers, names), whole or not at all."""
    with whole(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as fault:
            if isinstance(fault.__context__, OSError):  # torch says only at which byte it stopped
                raise fault.__context__ from fault
            raise


def read_state(path: Path, remedy: str) -> dict[str, Any]:
    """Read a training state; a pickle that holds anything but data is refused, never run.

    torch writes a checksum of every tensor into the file, and does not look at it when it reads.
    """
    _check_regular(path, remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        state = torch.load(path, map_location="cpu", weights_only=True) if damaged is None else None
    except Exception as error:  # zipfile and torch raise a dozen kinds for a damaged or foreign file
        reason = "it is a pickle that is not ours" if "weights_only" in str(error).lower() else type(error).__name__
        raise BadRecord(f"{path} cannot be read ({reason}): {remedy}") from error
    require(damaged is None, _changed(path, remedy), BadRecord)
    require(isinstance(state, dict), f"{path} holds no training state: {remedy}", BadRecord)
    assert isinstance(state, dict)
    return state


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Put weights into a network; weights of another network are refused with the first difference."""
    own = model.state_dict()
    # A checkpoint made elsewhere knows nothing of the normalisation that our networks carry.
    tensors = {name: tensor for name, tensor in own.items() if name.startswith("normalized.")} | dict(tensors)
    missing, foreign = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape]
    if missing or foreign or shapes:
        also = f" and has '{foreign[0]}'" if foreign else ""
        first = (
            f"it lacks '{missing[0]}'{also}" if missing
            else f"it has '{foreign[0]}', which the network has not" if foreign
            else f"'{shapes[0]}' is {tuple(tensors[shapes[0]].shape)} there and {tuple(own[shapes[0]].shape)} here"
        )  # fmt: skip
        raise BadRecord(f"{origin} holds the weights of another network than {type(model).__name__}: {first}")
    model.load_state_dict(tensors)


def fingerprint_of_tensors(tensors: Mapping[str, Tensor], *words: str) -> str:
    """Return a short name made of the bytes of named tensors."""
    digest = hashlib.sha256(repr(words).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]
