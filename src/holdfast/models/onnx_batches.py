"""A graph of ONNX whose shapes name a batch of one, made one for any batch."""

from typing import Any


def batches_freed(graph: Any) -> Any:
    """Return a copy of the graph in which each Reshape to a constant shape (1, …) keeps the first side as it is.

    In the shapes of Reshape, 0 stands for the side that is there already.
    """
    from onnx import ModelProto

    freed = ModelProto()
    freed.CopyFrom(graph)
    shapes = {node.input[1] for node in freed.graph.node if node.op_type == "Reshape"}
    constants = [each for each in freed.graph.initializer if each.name in shapes]
    for node in freed.graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            constants += [each.t for each in node.attribute if each.name == "value"]
    for constant in constants:
        _free(constant)
    # Sides that were worked out beforehand name the batch too.
    del freed.graph.value_info[:]
    for each in (*freed.graph.input, *freed.graph.output):
        if each.type.tensor_type.shape.dim:
            each.type.tensor_type.shape.dim[0].dim_param = "batch"
    return freed


def _free(constant: Any) -> None:
    from onnx import numpy_helper

    sides = numpy_helper.to_array(constant).copy()
    if len(sides) > 1 and sides[0] == 1:
        sides[0] = 0
        constant.CopyFrom(numpy_helper.from_array(sides, constant.name))
