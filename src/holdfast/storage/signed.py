"""Files that carry a name made of all that they say, which is checked when they are read: JSON, tensors, states."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from holdfast.errors import BadRecord, require
from holdfast.storage.describe import describe
from holdfast.storage.files import atomic_write
from holdfast.storage.fingerprint import name_of_described, name_of_tensors

SIGNATURE, FINGERPRINT = "signature", "fingerprint"
"""Under which words JSON and safetensors carry a name made of all that they say."""


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def signed_json(value: object) -> str:
    """Return a value that is described by named fields as JSON with a signature, which `read_json` looks at."""
    said = describe(value)
    assert isinstance(said, dict), "only what has named fields can carry a signature"
    return json.dumps(said | {SIGNATURE: name_of_described(said)}, indent=1)


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
    require(said == name_of_described(value), _changed(path, remedy), BadRecord)
    return value, True


def _changed(path: Path, remedy: str) -> str:
    return f"{path} was changed since it was written: {remedy}"


def _unsigned(path: Path, remedy: str) -> str:
    return f"{path} carries no signature (an older version wrote it, or it was changed): {remedy}"


def check_tensors(tensors: Mapping[str, object]) -> None:
    """Refuse what is no tensor, such as a dict that a part of a network keeps beside its weights.

    Raises:
        BadValue: it cannot be written as safetensors.
    """
    for name, each in tensors.items():
        said = f"'{name}' is of the type {type(each).__name__}: give tensors, also where get_extra_state returns more"
        require(isinstance(each, Tensor), said)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **words: str) -> None:
    """Write named tensors as signed safetensors, with words about them, whole or not at all."""
    check_tensors(tensors)
    said = [f"{name}={word}" for name, word in sorted(words.items())]
    # All in one word: safetensors writes several in any order, and the same weights should be the same file.
    signature = {FINGERPRINT: " ".join([name_of_tensors(tensors, *said), *said])}
    data = save(_apart(tensors), metadata=signature)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the processor, copies of those that share memory with one before, which tied weights do."""
    there: dict[str, Tensor] = {}
    met: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        there[name] = tensor.clone() if tensor.untyped_storage().data_ptr() in met else tensor
        met.add(tensor.untyped_storage().data_ptr())
    return there


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


def words_of(path: Path) -> dict[str, str]:
    """Return the words that safetensors were written with, unchecked; none of other files, and of what is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            signature = (file.metadata() or {}).get(FINGERPRINT, "")
    except (SafetensorError, OSError, ValueError):
        return {}
    return dict(word.split("=", 1) for word in signature.split(" ")[1:] if "=" in word)


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
    require(name == name_of_tensors(tensors, *said), _changed(path, remedy), BadRecord)
    return tensors, dict(word.split("=", 1) for word in said)


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state (tensors, numbers, names), whole or not at all."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
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
