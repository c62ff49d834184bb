"""Which part of what a network returns are its logits.

Networks of libraries return a dict (segmentation of torchvision), a tuple (heads, features), or an object with fields
(transformers). Which part is meant is told, never guessed; whoever is not told says what came and how to say it.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from holdfast.errors import ModelFault

Part = str | int
"""The name of an entry or of an attribute, or the place in a tuple, counted from 0."""


def part_of(returned: object, part: Part) -> Tensor:
    """Return the part of what a network returned that is meant.

    Raises:
        ModelFault: there is no such part, or it is no tensor.
    """
    parts = _parts(returned)
    by_place = isinstance(part, int) and not isinstance(returned, Mapping)
    known = {str(name): value for name, value in (enumerate(parts.values()) if by_place else parts.items())}
    found = known.get(str(part))
    if not isinstance(found, Tensor):
        other = f"its parts are {_listed(parts)}" if parts else "leave that out"
        raise ModelFault(f"the network returned {shown_answer(returned)}, of which {part!r} is no tensor: {other}")
    return found


def shown_answer(returned: object) -> str:
    """Return in words what a network returned, and how to say which part of it are the logits."""
    if isinstance(returned, Tensor):
        return f"shape {tuple(returned.shape)}"
    kind = type(returned).__name__
    parts = _parts(returned)
    return f"a {kind} of {_listed(parts)}" if parts else f"a {kind}"


def how_to_say(returned: object) -> str:
    """Return the remedy for an answer that has parts; nothing where it has none."""
    tensors = {name: part for name, part in _parts(returned).items() if isinstance(part, Tensor)}
    if not tensors:
        return ""
    tables = [name for name, part in tensors.items() if part.ndim == 2]
    name = (tables or list(tensors))[0]
    return f"say which are the logits, as in hf.models.adapt(network, answers={name!r}) or --answers {name}"


def _parts(returned: object) -> dict[Part, object]:
    """Return the parts of a dict, of a named or plain tuple, or of an object with fields."""
    if isinstance(returned, Tensor):
        return {}
    if isinstance(returned, Mapping):
        return dict(returned)
    if isinstance(returned, Sequence) and not isinstance(returned, str):
        return dict(zip(getattr(returned, "_fields", range(len(returned))), returned, strict=True))
    return dict(getattr(returned, "__dict__", {}))


def _listed(parts: Mapping[Part, object]) -> str:
    return " and ".join(map(repr, parts)) if len(parts) < 3 else ", ".join(map(repr, parts))
