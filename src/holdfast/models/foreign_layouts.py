"""How the tensors of published networks are called, and what their names say of the network."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

State = Mapping[str, Tensor]

WRAPPERS = ("module", "model", "_orig_mod", "network", "net", "basic_net", "timm_model", "backbone", "0", "1")
"""What wrappers put before all names: DataParallel, torch.compile, nn.Sequential after a normalisation, and others."""
_LEAVES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def nothing(state: State) -> dict[str, object]:
    """Say nothing."""
    return {}


@dataclass(frozen=True)
class Layout:
    """The names of one form of one network.

    `names` maps paths of modules, as patterns, to ours; a group `z` counts from 0 and `g` from 1. `anchors` are tensors
    that every file of the form has. `determines` reads options of our network off the tensors in our names, and
    `leaves_open` are options that no file of the form settles, with what they may be. `model` is how the network is
    called here, filled with what was determined.
    """

    title: str
    network: type[nn.Module]
    model: str
    anchors: tuple[str, ...]
    names: Mapping[str, str]
    determines: Callable[[State], dict[str, object]] = nothing
    leaves_open: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def prefixes(self, state: State) -> Iterator[str]:
        """Find what stands before the names of this form."""
        first = self.anchors[0]
        for name in state:
            prefix = name.removesuffix(first)
            wrapped = prefix + first == name and only_wrappers(prefix)
            if wrapped and all(prefix + anchor in state for anchor in self.anchors):
                yield prefix

    def ours(self, name: str) -> str | None:
        """Return what a tensor is called here; None where the form has no such tensor."""
        path, _, leaf = name.rpartition(".")
        if leaf not in _LEAVES:
            path, leaf = name, "weight"  # functional code names convolutions by their paths alone
        for pattern, template in self.names.items():
            if found := re.fullmatch(pattern, path):
                numbers = found.groupdict()
                if "z" in numbers:
                    numbers["g"] = str(int(numbers["z"]) + 1)
                return f"{template.format(**numbers)}.{leaf}"
        return None

    def read_off(self, state: State) -> dict[str, object]:
        """Return the options that tensors in our names determine; nothing where some of them are missing."""
        try:
            return self.determines(state)
        except (KeyError, TypeError):  # a tensor is missing, or is one number
            return {}

    def called(self, determined: Mapping[str, object]) -> str:
        """Return the name of the network of these options, as `build` takes it."""
        try:
            return self.model.format(**determined)
        except KeyError:
            return self.model.partition("-{")[0]


def only_wrappers(prefix: str) -> bool:
    """Say whether nothing but wrappers is named before a tensor."""
    return all(word in WRAPPERS for word in prefix.split(".")[:-1])
