"""Files of weights as other people saved them: read without running what a pickle asks for."""

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from holdfast.errors import BadRecord, reason
from holdfast.models.foreign_kind import LEGACY, SAFETENSORS, kind_of
from holdfast.models.foreign_storages import read_legacy, read_zip
from holdfast.models.foreign_unpickler import plain
from holdfast.storage.signed import read_any_tensors


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds: tensors in dictionaries and lists, with other things between them."""

    value: object
    asked_for: tuple[str, ...] = ()
    """What a pickle asked for that was not followed, as "numpy.core.multiarray.scalar"; stand-ins took its place."""


def read_foreign(path: Path, trust: bool = False) -> Content:
    """Read a file of weights onto the processor.

    A pickle is read by torch with `weights_only=True`. Where that refuses it, tensors and plain containers are read and
    everything else becomes stand-ins; nothing runs. With `trust`, the pickle is run as its author meant it.

    Raises:
        BadRecord: the file is none of weights, is damaged, or cannot be read without running it.
    """
    kind = kind_of(path)
    if kind == SAFETENSORS:
        return Content(read_any_tensors(path, "give the path of a file of weights"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of what old files are made of
            return Content(_by_torch(path, trust))
    except pickle.UnpicklingError:
        if trust:
            raise BadRecord(f"{path} is damaged: download it again") from None
    except Exception as fault:  # torch and what a trusted pickle runs raise whatever they like
        raise BadRecord(f"{path} cannot be read ({reason(fault)})") from fault
    return _inert(path, kind)


def _by_torch(path: Path, trust: bool) -> object:
    value: Any = torch.load(path, map_location="cpu", weights_only=not trust)
    return _states(value)


def _states(value: object) -> object:
    """Return what was read with whole networks, which a trusted pickle can hold, as dictionaries of their tensors."""
    if isinstance(value, torch.nn.Module):
        return dict(value.state_dict())
    if isinstance(value, dict):
        return {name: _states(part) for name, part in value.items()}
    return [_states(part) for part in value] if isinstance(value, list | tuple) else value


def _inert(path: Path, kind: str) -> Content:
    """Read tensors and plain containers; nothing runs."""
    asked_for: set[str] = set()
    try:
        value = plain((read_legacy if kind == LEGACY else read_zip)(path, asked_for))
    except Exception as fault:  # a pickle may be wrong in every way
        raise BadRecord(refusal(path, asked_for, reason(fault))) from fault
    return Content(value, tuple(sorted(asked_for)))


def refusal(path: Path, asked_for: set[str] | tuple[str, ...], why: str) -> str:
    """Say in one line why a pickle is not read, what it asks for, and how it is read all the same."""
    names = sorted(asked_for)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    wants = f"; it asks for {', '.join(names[:3])}{more}, and --trust-pickle (trust=True) runs it" if names else ""
    return f"{path} cannot be read without running it ({why}){wants}" if names else f"{path} cannot be read ({why})"
