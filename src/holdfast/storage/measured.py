"""On what numbers were measured: the hardware and the versions, in words that are kept with the numbers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import torch

from holdfast.devices import conditions
from holdfast.storage.signed import words_of

UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Measured:
    """Each different hardware, and each different set of versions, that some numbers were measured on."""

    hardware: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """All of it as one word, as signed tensors carry it."""
        return quote(json.dumps(asdict(self)))


NOT_RECORDED = Measured((UNKNOWN,), (UNKNOWN,))
"""Of what an older version stored."""


def here(device: torch.device | str) -> Measured:
    """Return the hardware and the versions of this process, on this device."""
    there = conditions(device)
    return Measured((there["hardware"],), (there["versions"],))


def together(parts: Iterable[Measured]) -> Measured:
    """Return all hardware and versions that several parts were measured on."""
    known = list(parts)
    hardware = {words for each in known for words in each.hardware}
    versions = {words for each in known for words in each.versions}
    return Measured(tuple(sorted(hardware)), tuple(sorted(versions)))


def said_by(words: Mapping[str, Any] | None) -> Measured:
    """Return what signed JSON says under the name that it keeps this by; an older version kept nothing."""
    return Measured(tuple(words["hardware"]), tuple(words["versions"])) if words else NOT_RECORDED


def of_tensors(path: Path) -> Measured:
    """Return what signed tensors say, which are read and verified by then."""
    word = words_of(path).get("measured")
    return said_by(json.loads(unquote(word)) if word else None)
