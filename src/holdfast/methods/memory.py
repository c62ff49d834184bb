"""What a method keeps between batches, and another run's network, which it borrows."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.types import Images, Outputs


class Memory(nn.Module):
    """What a method keeps between batches: named tensors and networks, saved with the run, never optimised."""

    def __init__(self, **kept: Tensor | nn.Module) -> None:
        super().__init__()
        for name, item in kept.items():
            require(not hasattr(nn.Module, name), f"a memory cannot be called '{name}': torch uses that name")
            require(
                isinstance(item, Tensor | nn.Module), f"memory '{name}' is no tensor and no network: nothing saves it"
            )
            if isinstance(item, nn.Module):
                self.add_module(name, item.eval().requires_grad_(False))
            else:
                self.register_buffer(name, item)

    def __getattr__(self, name: str) -> Any:
        """Return what is kept under `name`."""
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse names that `remember` did not give: they would not be saved."""
        known = name == "training" or name in self._buffers or name in self._modules
        require(known, f"memory keeps no '{name}': name it in remember, so that it is saved")
        super().__setattr__(name, value)

    def _apply(self, move: Callable[[Tensor], Tensor], recurse: bool = True) -> "Memory":
        """Move everything but whole numbers of no shape: a count stays where reading it waits for no device."""
        counts = {name: kept for name, kept in self._buffers.items() if kept is not None and _is_count(kept)}
        super()._apply(move, recurse)  # type: ignore[no-untyped-call]
        self._buffers.update(counts)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Take saved tensors in the shape that they had grown to, not in the one that a run begins with."""
        for name, kept in self._buffers.items():
            saved = state_dict.get(prefix + name)
            if kept is not None and saved is not None and saved.shape != kept.shape:
                self._buffers[name] = kept.new_empty(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *others)


class Borrowed(nn.Module):
    """Another run's frozen network, kept in a memory and saved with none: the run that made it names it.

    It stays where `Finished.network` put it. `memory.teacher.network` is the network itself.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = (network.eval().requires_grad_(False),)  # in a tuple, torch does not take it for a part

    @property
    def network(self) -> nn.Module:
        """The network."""
        return self._network[0]

    def forward(self, images: Images) -> Outputs:
        """Return what the network answers."""
        answer: Outputs = self.network(images)
        return answer

    def _load_from_state_dict(self, *saved: Any) -> None:
        """Take nothing: older runs wrote the weights down, which are the run's own in any case."""


def _is_count(kept: Tensor) -> bool:
    return kept.ndim == 0 and not kept.is_floating_point()
