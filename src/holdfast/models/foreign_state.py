"""Which of the things in a file are the weights of its network: the usual keys, averaged weights first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from holdfast.errors import BadRecord, UnknownName, require
from holdfast.models.foreign_file import Content

State = Mapping[str, Tensor]

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "swa_state_dict", "swa_model", "swa")
"""Under which words averaged weights stand; they are those that results are published with."""
USUAL = ("model_state_dict", "state_dict", "model", "net", "network", "last", "best", "params", "weights")
_NO_WEIGHTS = ("optimizer", "optim", "scheduler", "amp", "scaler", "args", "rng")
"""Words that begin the keys of tensors which are no weights."""
_DEEP = 4
"""How many dictionaries and lists may stand around the weights."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The weights that were taken from a file, where they stood, and where others stand."""

    tensors: State
    key: str = ""
    others: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Say which weights were taken where there was a choice; nothing where the file is the weights alone."""
        also = f" (also there: {', '.join(self.others)})" if self.others else ""
        return f"weights under '{self.key}'{also}" if self.key else ""


def chosen(content: Content, key: str | None, origin: str) -> Chosen:
    """Return the weights under `key`, or those that are usually meant.

    Raises:
        UnknownName: no weights are under this key.
        BadRecord: there are none at all, or it is open which are meant.
    """
    found = dict(_states(content.value))
    if key is not None:
        if key not in found:
            raise UnknownName(f"key of {origin}", key, found)
        return Chosen(found[key], key, tuple(name for name in found if name != key))
    require(bool(found), _nothing(content, origin), BadRecord)
    first = _usual(found)
    words = f"{origin} holds several networks: choose one with --key (key=): {', '.join(found)}"
    require(first is not None, words, BadRecord)
    assert first is not None
    return Chosen(found[first], first, tuple(name for name in found if name != first))


def _usual(found: Mapping[str, State]) -> str | None:
    """Return the key that is usually meant; none where several stages or strangers are left."""
    for word in (*AVERAGED, *USUAL):
        under = [name for name in found if name.split(".")[0] == word]
        if under:
            whole = [name for name in under if name == word]
            return (whole or under)[0] if len(whole or under) == 1 else None
    return next(iter(found)) if len(found) == 1 else None


def _states(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, State]]:
    """Find the dictionaries of named tensors, each under the words that lead to it."""
    if len(path) > _DEEP:
        return
    if isinstance(value, list):
        for place, part in enumerate(value):
            yield from _states(part, (*path, str(place)))
    if not isinstance(value, Mapping):
        return
    inner = [
        found
        for name, part in value.items()
        if isinstance(name, str) and not name.lower().startswith(_NO_WEIGHTS)
        for found in _states(part, (*path, name))
    ]
    own = {name: part for name, part in value.items() if isinstance(name, str) and isinstance(part, Tensor)}
    if inner or not any("." in name or tensor.ndim for name, tensor in own.items()):
        yield from inner
    else:
        yield ".".join(path), own


def _nothing(content: Content, origin: str) -> str:
    """Say that a file holds no weights, and what it asks for that was not run."""
    wants = ", ".join(content.asked_for[:3])
    more = f" and {len(content.asked_for) - 3} more" if len(content.asked_for) > 3 else ""
    remedy = f": it asks for {wants}{more}, which was not run; --trust-pickle (trust=True) runs it" if wants else ""
    return f"{origin} holds no weights that can be read as they are{remedy}"
