"""Kinds and fields that are called otherwise now than when the first folders were written.

JSON is written with today's names. It is read in either, and the names made of a description (signatures, fingerprints,
the run that weights are bound to) are made of the first names, so they stay what they were.
"""

from collections.abc import Mapping
from typing import TypeVar, cast

KINDS: Mapping[str, str] = {
    "Filled": "TableResult",
    "Looked": "FigureResult",
    "Saved": "SavedImages",
    "Seen": "AnalysisResult",
}
"""First name -> today's."""
FIELDS: Mapping[str, Mapping[str, str]] = {
    "FigureResult": {"seen": "results"},
    "Kurakin": {"crafts": "adversaries", "sizes": "eps_sampler"},
    "UnifiedEmbedding": {"crafts": "adversaries", "price": "penalty", "sizes": "eps_sampler"},
}
"""Today's kind -> first name of a field -> today's."""

FIRST_KINDS = {now: first for first, now in KINDS.items()}
FIRST_FIELDS = {kind: {now: first for first, now in names.items()} for kind, names in FIELDS.items()}

Json = TypeVar("Json")


def in_todays_names(described: Json) -> Json:
    """Return a description with today's names of kinds and fields; a field under both of its names stays as it is."""
    return cast("Json", _renamed(described, KINDS, FIELDS))


def in_first_names(described: Json) -> Json:
    """Return a description with the names that kinds and fields had first."""
    return cast("Json", _renamed(described, FIRST_KINDS, FIRST_FIELDS))


def _renamed(described: object, kinds: Mapping[str, str], fields: Mapping[str, Mapping[str, str]]) -> object:
    if isinstance(described, list):
        return [_renamed(item, kinds, fields) for item in described]
    if not isinstance(described, dict):
        return described
    inner = {key: _renamed(item, kinds, fields) for key, item in described.items()}
    kind = described.get("kind")
    if not isinstance(kind, str):
        return inner
    names = {old: new for old, new in fields.get(KINDS.get(kind, kind), {}).items() if new not in described}
    return {names.get(key, key): item for key, item in inner.items()} | {"kind": kinds.get(kind, kind)}
