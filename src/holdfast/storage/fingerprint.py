"""Short names made of everything that values and tensors say."""

import hashlib
import json
from collections.abc import Mapping

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


def name_of_fields(value: object) -> str:
    """Return a short name made of the fields of `value` alone: what code of one's own does counts nothing."""
    return name_of_described(describe(value))


def name_of_described(described: Described, more: str = "") -> str:
    """Return a short name made of what `describe` wrote down, and of more words.

    It is made of the names that kinds and fields had first, so a later name changes no fingerprint and no signature.
    """
    text = json.dumps(in_first_names(described), sort_keys=True, separators=(",", ":")) + more
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def name_of_tensors(tensors: Mapping[str, Tensor], *words: str) -> str:
    """Return a short name made of the bytes of named tensors."""
    digest = hashlib.sha256(repr(words).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]
