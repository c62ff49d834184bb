"""Batch norm at rest is one scale and one shift a channel: the layer before it can take both into its own weights.

That is exact where all that the layer answers goes to the batch norm and nowhere else. Where it goes is read from the
symbolic trace of the network (torch.fx), or of those parts that can be traced where the whole cannot; and both are
watched in a run: each called once, the one with what the other answered.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from holdfast.passes import spend
from holdfast.types import Images

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
"""What can take a batch norm in: the channels it answers with are the rows of its weight."""
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Changes(NamedTuple):
    """What of a network at rest can go, by module paths."""

    folded: tuple[tuple[str, str], ...]
    """Layers, each with the batch norm that it takes in."""
    dropped: tuple[str, ...]
    """Dropouts, which do nothing at rest."""


def changes(network: nn.Module, images: Images) -> Changes:
    """Return what can go, as far as that is certain.

    The network is run and traced, which may leave traces on it: give one to throw away.
    """
    calls = Calls(network, images)
    pairs = [pair for root, graph in graphs(network) for pair in adjacent(root, graph)]
    folded = tuple(pair for pair in pairs if calls.follow(*pair))
    return Changes(folded, tuple(path for path, module in calls.parts.items() if type(module) in DROPOUTS))


def apply(found: Changes, network: nn.Module) -> None:
    """Fold and drop in place; what goes leaves an identity, so that every other part keeps its path."""
    for layer, norm in found.folded:
        fold(network.get_submodule(layer), network.get_submodule(norm))
        network.set_submodule(norm, nn.Identity().eval())
    for path in found.dropped:
        network.set_submodule(path, nn.Identity().eval())


def fold(layer: Any, norm: Any) -> None:
    """Give the layer the scale and the shift of the batch norm after it, worked out in float64."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() if layer.bias is None else layer.bias.double() - norm.running_mean.double()
    if norm.affine:
        scale = scale * norm.weight.double()
    shift = shift * scale + norm.bias.double() if norm.affine else shift * scale
    weight = layer.weight.double() * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    # New parameters: the old ones may be another layer's too.
    layer.bias = nn.Parameter(shift.detach().to(layer.weight.dtype), requires_grad=False)
    layer.weight = nn.Parameter(weight.detach().to(layer.weight.dtype), requires_grad=False)


class Calls:
    """Which layers, batch norms and dropouts a network calls in one run, and with what."""

    def __init__(self, network: nn.Module, images: Images) -> None:
        self.parts: dict[str, nn.Module] = {}
        self.count: Counter[str] = Counter()
        self.ends: dict[str, tuple[Tensor, Tensor]] = {}
        places = Counter(module for _, module in network.named_modules(remove_duplicate=False))
        parts = {path: part for path, part in network.named_modules() if places[part] == 1 and replaceable(part)}
        hooks = [part.register_forward_hook(self._keep(path, part)) for path, part in parts.items()]
        with torch.no_grad():
            network(images)
        spend(forwards=len(images))
        for hook in hooks:
            hook.remove()

    def follow(self, layer: str, norm: str) -> bool:
        """Say whether each was called once, the batch norm with what the layer answered, channel by channel."""
        kinds = type(self.parts.get(layer)) in LAYERS and type(self.parts.get(norm)) in BATCH_NORMS
        if not kinds or self.count[layer] != 1 or self.count[norm] != 1:
            return False
        if self.ends[norm][0] is not self.ends[layer][1]:
            return False
        # Of rows of rows a batch norm takes the middle for the channels, a linear layer the last.
        return not isinstance(self.parts[layer], nn.Linear) or self.ends[layer][1].ndim == 2

    def _keep(self, path: str, part: nn.Module) -> Callable[..., None]:
        """Return a hook that counts the calls of a part and keeps what went in and came out."""

        def hook(_: nn.Module, given: tuple[Tensor, ...], answer: Tensor) -> None:
            self.parts[path] = part
            self.count[path] += 1
            self.ends[path] = (given[0] if given else answer, answer)

        return hook


def replaceable(part: nn.Module) -> bool:
    """Say whether a part does what its type says and no more: no subclass, no hook; a batch norm with statistics."""
    plain = type(part) in (*LAYERS, *BATCH_NORMS, *DROPOUTS) and not hooked(part) and "forward" not in vars(part)
    return plain and (type(part) not in BATCH_NORMS or getattr(part, "running_mean", None) is not None)


def hooked(part: nn.Module) -> bool:
    """Say whether something else runs when this part does."""
    return any(getattr(part, name) for name in HOOKS)


class Reader(fx.Tracer):
    """Reads forwards without their decorators: a type checker around one would refuse what stands for the images.

    Nothing is run from what is read here, so what a decorator does is not lost.
    """

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Go into a part that is not of torch."""
        bare = forward if "forward" in vars(m) else partial(inspect.unwrap(type(m).forward), m)
        return super().call_module(m, bare, args, kwargs)


def graphs(part: nn.Module, path: str = "") -> Iterator[tuple[str, fx.Graph]]:
    """Yield the path and the graph of the network, or of its largest parts that can be traced.

    A hook would be traced along, and keep for its owner what only stands for a tensor: what has one is not traced.
    """
    if not any(True for _ in part.children()):
        return
    try:
        graph = None if any(map(hooked, part.modules())) else Reader().trace(nn.Sequential(part))
    except Exception:  # the forward of a stranger, given what is no tensor, may raise anything
        graph = None
    if graph is not None:
        yield path, graph
        return
    for name, child in part.named_children():
        yield from graphs(child, f"{path}{name}.")


def adjacent(path: str, graph: fx.Graph) -> Iterator[tuple[str, str]]:
    """Yield the paths of parts a, b where b is the only one that is given what a answers, and nothing else.

    A part whose weights are also read by themselves does not count.
    """
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    for node in graph.nodes:
        users = list(node.users)
        if node.op == "call_module" and len(users) == 1 and users[0].op == "call_module" and users[0].args == (node,):
            both = str(node.target), str(users[0].target)
            if read.isdisjoint(both):
                first, second = (path + name.partition(".")[2] for name in both)
                yield first, second
