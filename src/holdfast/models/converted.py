"""Weights that `holdfast convert` wrote: safetensors that say of which network they are and how it computes."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from torch import Tensor, nn

from holdfast.errors import BadRecord, require
from holdfast.models.normalized import Normalized
from holdfast.models.weights import HELD
from holdfast.storage.signed import words_of, write_tensors


def write_converted(path: Path, model: nn.Module, name: str, options: Mapping[str, object]) -> None:
    """Write the weights of a network, its normalisation, its name and its options, whole or not at all."""
    # What normalises each image by itself is in the weights; a word about it would be said twice.
    kept = {word: value for word, value in options.items() if (word, value) != ("normalize", "per-image")}
    said = json.dumps(kept, separators=(",", ":"), sort_keys=True)
    write_tensors(path, _tensors(model), network=quote(name), options=quote(said))


def said_in(path: Path) -> tuple[str, dict[str, object]] | None:
    """Return the name and the options of the network in a file that `write_converted` wrote; None of other files.

    Raises:
        BadRecord: the name is of a Python file, which a file of weights may not have run.
    """
    words = words_of(path)
    if "network" not in words or "options" not in words:
        return None
    name, options = unquote(words["network"]), unquote(words["options"])
    code = f"{path} names {name}, which is code: say it with --model"
    require(".py:" not in name, code, BadRecord)
    try:
        known = json.loads(options)
    except ValueError as fault:
        raise BadRecord(f"{path} is damaged: its options cannot be read") from fault
    require(isinstance(known, dict), f"{path} is damaged: its options cannot be read", BadRecord)
    return name, known


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights; of a network that has a normalisation before it, under its own names."""
    if isinstance(model, nn.Sequential) and len(model) == 2 and isinstance(model[0], Normalized):
        return {**model[1].state_dict(), **dict(zip(HELD, (model[0].mean, model[0].std), strict=True))}
    return dict(model.state_dict())
