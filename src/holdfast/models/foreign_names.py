"""From the names in a file to ours: which form of which network it is, and what is left out of it."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from holdfast.errors import BadRecord, require
from holdfast.models.foreign_layouts import Layout, State
from holdfast.models.foreign_resnet import RESNETS
from holdfast.models.foreign_statistics import statistics
from holdfast.models.foreign_wide_resnet import WIDE_RESNETS
from holdfast.models.weights import HELD, PER_IMAGE

LAYOUTS: tuple[Layout, ...] = (*WIDE_RESNETS, *RESNETS)
_UNUSED = {
    r"(?:.*\.)?attacker\.": "attacker",
    r"(?:.*\.)?relative_position_index$": "relative_position_index",
    r"(?:.*\.)?attn_mask$": "attn_mask",
    r"(?:.*\.)?n_averaged$": "n_averaged",
    r"(?:.*\.)?sub_block1\.": "sub_block1",
}
"""What public files carry and no network needs, with what it is called in messages."""
_AVERAGED = "averaged num_batches_tracked"


@dataclass(frozen=True, eq=False)
class Renamed:
    """Weights under our names, and the normalisation as `normalized.mean` and `normalized.std` where a file has one."""

    weights: dict[str, Tensor]
    layout: Layout | None = None
    determined: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Return the weights of the first and the last layer that have more than one number a channel."""
        matrices = [tensor for tensor in self.weights.values() if tensor.ndim > 1]
        return matrices[0], matrices[-1]

    @property
    def normalised(self) -> bool:
        """Say whether the file says how images are normalised."""
        return any(name.startswith("normalized.") for name in self.weights)


def by_layout(state: State, network: type[nn.Module], origin: str) -> Renamed | None:
    """Return the weights of a network in one of the forms in which it is published; None where it is in none.

    Raises:
        BadRecord: the file holds more than one network, or tensors that no such network has.
    """
    found = [(layout, prefix) for layout in LAYOUTS if layout.network is network for prefix in layout.prefixes(state)]
    if not found:
        return None
    words = " and ".join(f"'{prefix}'" for _, prefix in found)
    require(len(found) == 1, f"{origin} holds several networks, at {words}: save one of them alone", BadRecord)
    layout, prefix = found[0]
    renamed = _renamed(state, prefix, layout.ours, origin)
    determined = layout.read_off(renamed.weights)
    return Renamed(renamed.weights, layout, determined, (f"the names are those of {layout.title}", *renamed.notes))


def by_own_names(state: State, model: nn.Module, origin: str) -> Renamed | None:
    """Return the weights of a network in its own names, whatever wraps them; None where they are another's."""
    own = {name.removeprefix("network.") if _is_adapted(model) else name: name for name in model.state_dict()}
    inside = [name for name in own if not name.startswith("normalized.")]
    like = Layout("its own", type(model), "", tuple(inside[:1]), {}) if inside else None
    prefixes = list(like.prefixes(state)) if like else []
    words = " and ".join(f"'{prefix}'" for prefix in prefixes)
    require(len(prefixes) < 2, f"{origin} holds several networks, at {words}: save one of them alone", BadRecord)
    return _renamed(state, prefixes[0], own.get, origin) if prefixes else None


def guessed(state: State) -> str | None:
    """Return the name of the network whose form a file has, where it has one that is known."""
    for layout in LAYOUTS:
        for prefix in layout.prefixes(state):
            inside = [name for name in state if name.startswith(prefix) and not _unused(name, state[name])]
            ours = {layout.ours(name.removeprefix(prefix)): state[name] for name in inside}
            if None not in ours:
                return layout.called(layout.read_off({str(name): each for name, each in ours.items()}))
    return None


def _unused(name: str, tensor: Tensor) -> str:
    """Say what a tensor is called that no network needs; "" for others. Averaged counts of batches are no counts."""
    known = next((words for pattern, words in _UNUSED.items() if re.match(pattern, name)), "")
    return known or (_AVERAGED if name.endswith("num_batches_tracked") and tensor.is_floating_point() else "")


def _is_adapted(model: nn.Module) -> bool:
    return all(name.startswith(("network.", "normalized.")) for name in model.state_dict())


def _renamed(state: State, prefix: str, ours: Callable[[str], str | None], origin: str) -> Renamed:
    """Return weights in our names without what is known to be unused; strangers keep theirs, and are refused later."""

    def own(name: str) -> str | None:
        inside = name.removeprefix(prefix)
        return None if not name.startswith(prefix) else PER_IMAGE if inside == PER_IMAGE else ours(inside)

    pairs = statistics(state, origin, lambda name: own(name) is not None)
    said = {name for words in pairs for name in words.split()}
    weights, left_out = {}, Counter[str]()
    for name, tensor in state.items():
        found, unused = own(name), _unused(name, tensor)
        if unused and (found is None or unused == _AVERAGED):
            left_out[unused] += 1
        elif name not in said:
            weights[found or name] = tensor
    notes = [f"{words} is left out (tensors: {count})" for words, count in left_out.items()]
    for words, pair in list(pairs.items())[:1]:
        weights |= dict(zip(HELD, pair, strict=True))
        notes.append(f"it holds its normalisation ({' and '.join(words.split())})")
    halves = {str(tensor.dtype).removeprefix("torch.") for tensor in weights.values() if tensor.is_floating_point()}
    notes += [f"numbers of {kind} became float32" for kind in sorted(halves - {"float32"})]
    return Renamed(weights, notes=tuple(notes))
