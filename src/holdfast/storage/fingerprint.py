"""Short names made of everything that values and tensors say."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from holdfast.storage.behaviour import own_code
from holdfast.storage.describe import Described, describe
from holdfast.storage.renamed import in_first_names


def fingerprint(value: object) -> str:
    """Return a short name made of everything that `value` says, the same in every process.

    Functions and kinds from outside holdfast count with what they do, so one's own attack, edited, is another.
    """
    own = own_code(value)
    return name_of_described(describe(value), json.dumps(own) if own else "")


def name_of_described(described: Described, more: str = "") -> str:
    """Return a short name made of what `describe` wrote down, and of more words.

    It is made of the names that kinds and fields had first, so a later name changes no fingerprint and no signature.
    """
    text = json.dumps(in_first_names(described), sort_keys=True, separators=(",", ":")) + more
    return hashlib.sha256(text.encode()).hexdigest()[:12]


AT_ONCE = 2**25
"""How many bytes of a tensor are brought to the host at once."""


@runtime_checkable
class Stored(Protocol):
    """What gives its rows as a tensor does, wherever they lie."""

    @property
    def dtype(self) -> torch.dtype:
        """The type of its numbers."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    def __getitem__(self, rows: slice) -> Tensor:
        """Return some rows."""


def name_of_tensors(tensors: Mapping[str, Tensor | Stored], *words: str) -> str:
    """Return a short name made of the bytes of named tensors, which need not be in memory as a whole."""
    digest = hashlib.sha256(repr(words).encode())
    for name, tensor in sorted(tensors.items(), key=lambda item: item[0]):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        for some in _pieces(tensor):
            digest.update(some.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def _pieces(tensor: Tensor | Stored) -> Iterator[Tensor]:
    """Yield a tensor in parts, whose bytes one after the other are its own."""
    if len(tensor.shape) == 0 or tensor.shape[0] == 0:
        assert isinstance(tensor, Tensor), "what is stored has rows"
        yield tensor
        return
    size = max(1, AT_ONCE // max(1, tensor[:1].nbytes))
    for start in range(0, tensor.shape[0], size):
        yield tensor[start : start + size]
