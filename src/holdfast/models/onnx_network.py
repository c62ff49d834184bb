"""Networks in ONNX files, converted by onnx2torch: what attacks need is a network that torch can differentiate.

onnx and onnx2torch are an optional extra: they are imported where they are used. Weights may become buffers, and names
are those of the nodes; a file holds its normalisation only where its nodes subtract and divide.
"""

import math
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from holdfast.devices import need
from holdfast.errors import BadRecord, UsageError, reason, require
from holdfast.models.architecture import Shape
from holdfast.models.onnx_batches import batches_freed
from holdfast.types import Images

Layout = Literal["NCHW", "NHWC", "flat"]
"""How a graph wants an image: rows of pixels by channel, by pixel, or in one row, channel by channel."""
REEXPORT = "export it again, at opset 13 to 17 and with a dynamic batch"
ROUNDING = 1e-4
"""How far answers may be apart that are asked for together and alone, in units of the largest."""


class OnnxNetwork(nn.Module):
    """A converted graph that takes images of shape (n, channels, rows, columns)."""

    def __init__(self, graph: nn.Module, layout: Layout, each: tuple[int, ...]) -> None:
        super().__init__()
        self.graph = graph
        self.layout = layout
        self.each = each
        """The shape of an image inside."""

    def forward(self, images: Images) -> Any:
        """Return what the graph answers."""
        arranged = images.permute(0, 2, 3, 1) if self.layout == "NHWC" else images
        return self.graph(arranged.reshape(len(images), *self.each))


def from_onnx(path: str | Path, shape: Shape) -> OnnxNetwork:
    """Return the network of an ONNX file for images of shape (channels, rows, columns).

    Raises:
        BadRecord: there is no such file, or it is damaged.
        UsageError: an operator cannot be converted, it takes other images, or one image at a time.
    """
    need("onnx")
    graph = _read(Path(path))
    _check_operators(graph, path)
    layout, each = _layout(graph, shape, str(path))
    network = OnnxNetwork(_converted(graph, path), layout, each).eval()
    if _takes_two(network, shape):
        return network
    # Exporters write the batch of their example into the shapes of Reshape.
    freed = OnnxNetwork(_converted(batches_freed(graph), path), layout, each).eval()
    one = torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))
    same = _alike(_answer(network, one), _answer(freed, one))
    words = f"{path} takes one image at a time: its graph names the batch; {REEXPORT}"
    require(same and _takes_two(freed, shape), words, UsageError)
    return freed


def _read(path: Path) -> Any:
    import onnx

    require(path.is_file(), f"{path} is missing: give the path of an ONNX file", BadRecord)
    try:
        graph = onnx.load(str(path))
    except Exception as fault:  # protobuf, onnx and the disk each raise their own
        raise BadRecord(f"{path} is no ONNX file, or damaged: {reason(fault)}") from fault
    require(len(graph.graph.node) > 0, f"{path} is no ONNX file, or damaged: it holds no graph", BadRecord)
    return graph


def _check_operators(graph: Any, path: str | Path) -> None:
    """Refuse a graph with operators that have no converter; all of them are named."""
    from onnx2torch.node_converters import get_converter

    versions = {each.domain: each.version for each in graph.opset_import}
    missing = []
    for node in graph.graph.node:
        version = versions.get(node.domain, 0)
        try:
            get_converter(operation_type=node.op_type, version=version, domain=node.domain)
        except NotImplementedError:
            missing.append(f"{node.op_type} (opset {version}{f' of {node.domain}' if node.domain else ''})")
    names = ", ".join(dict.fromkeys(missing))
    require(not names, f"{path}: onnx2torch has no converter for {names}; {REEXPORT}", UsageError)


def _converted(graph: Any, path: str | Path) -> nn.Module:
    from onnx2torch import convert

    try:
        module: nn.Module = convert(graph)
    except Exception as fault:  # a converter may fail in any way
        raise UsageError(f"{path} cannot be converted by onnx2torch: {reason(fault)}; {REEXPORT}") from fault
    return module


def _layout(graph: Any, shape: Shape, path: str) -> tuple[Layout, tuple[int, ...]]:
    """Return how the graph wants an image of this shape, and the shape that it has inside."""
    weights = {each.name for each in graph.graph.initializer}
    inputs = [each for each in graph.graph.input if each.name not in weights]
    require(len(inputs) == 1, f"{path} takes {len(inputs)} inputs: a classifier takes images alone", UsageError)
    stated = tuple(each.dim_value or None for each in inputs[0].type.tensor_type.shape.dim)
    channels, rows, columns = shape
    wanted: dict[Layout, tuple[int, ...]] = {"NCHW": shape, "NHWC": (rows, columns, channels)}
    for layout, sides in wanted.items():
        if len(stated) == 4 and all(own in (None, side) for own, side in zip(stated[1:], sides, strict=True)):
            return layout, sides
    pixels = math.prod(side or 1 for side in stated[1:])
    if None not in stated[1:] and pixels == math.prod(shape) and sum(side != 1 for side in stated[1:]) == 1:
        return "flat", tuple(side or 1 for side in stated[1:])
    said = " x ".join("?" if side is None else str(side) for side in stated[1:])
    raise UsageError(f"{path} takes images of {said}, and these have shape {shape}, or {wanted['NHWC']} by pixel")


def _answer(network: nn.Module, images: Tensor) -> Any:
    """Return what a network answers; None where it raises."""
    try:
        with torch.no_grad():
            return network(images)
    except Exception:  # a constant batch fails in many ways
        return None


def _takes_two(network: nn.Module, shape: Shape) -> bool:
    """Say whether two images at once are answered as they are alone."""
    two = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    together, alone = _answer(network, two), [_answer(network, each[None]) for each in two]
    if not isinstance(together, Tensor):
        return together is not None  # what returns several things is asked about when it is told which counts
    return all(isinstance(each, Tensor) for each in alone) and _alike(together, torch.cat(alone))


def _alike(one: Any, other: Any) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return one is not None and other is not None
    return one.shape == other.shape and bool(((one - other).abs() <= ROUNDING * one.abs().max()).all())
