"""ONNX files: layouts, constant batches, weights in buffers, and operators that cannot be converted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast import Linf
from holdfast.attacks import PGD
from holdfast.errors import BadRecord, UsageError
from holdfast.models import Reading, from_onnx
from holdfast.models.architecture import check_answer
from holdfast.models.weights import Normalisation
from holdfast.training.networks import network

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
pytest.importorskip("onnx2torch", reason="the extra 'onnx' is not installed")
WEIGHT = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)


def write(
    path: Path, given: list[Any], nodes: list[tuple[str, ...]], shape: list[int] | None = None, opset: int = 13
) -> Path:
    """Write a linear network as a graph of these nodes, each (operator, inputs…, output)."""
    make = onnx.helper
    kept = {"weight": WEIGHT, "shape": np.array(shape or [0, -1], np.int64)}
    used = {name for node in nodes for name in node[1:]}
    graph = make.make_graph(
        [make.make_node(kind, list(names[:-1]), [names[-1]]) for kind, *names in nodes],
        "net",
        [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, given)],
        [make.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", 5])],
        [onnx.numpy_helper.from_array(value, name) for name, value in kept.items() if name in used],
    )
    opsets = [make.make_opsetid("", opset)]
    onnx.save(make.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


LINEAR = [("Reshape", "x", "shape", "flat"), ("MatMul", "flat", "weight", "z")]


def linear(images: Tensor) -> Tensor:
    return images.flatten(1) @ torch.from_numpy(WEIGHT)


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (["n", 3, 4, 4], [0, -1]),
        ([1, 3, 4, 4], [-1, 48]),
        ([1, 3, 4, 4], [1, -1]),
        ([1, 3, 4, 4], [1, 48]),
        (["n", "c", "h", "w"], [0, -1]),
        ([1, 48, 1], [1, -1]),
        (["n", 48], [0, -1]),
    ],
)
def test_any_batch_gets_the_answers_of_the_graph(given: list[Any], shape: list[int], tmp_path: Path) -> None:
    model = from_onnx(write(tmp_path / "net.onnx", given, LINEAR, shape), (3, 4, 4))
    images, labels = torch.rand(6, 3, 4, 4), torch.arange(6) % 5
    torch.testing.assert_close(model(images), linear(images))
    check_answer(model, "it", (3, 4, 4), 5)
    assert not list(model.parameters())
    attacked = PGD(Linf(0.1), steps=3)(model, images, labels)
    torch.testing.assert_close(attacked, PGD(Linf(0.1), steps=3)(linear, images, labels))


def test_images_by_pixel_are_noticed(tmp_path: Path) -> None:
    model = from_onnx(write(tmp_path / "net.onnx", ["n", 4, 4, 3], LINEAR), (3, 4, 4))
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(model(images), linear(images.permute(0, 2, 3, 1)))


def test_a_file_is_named_like_any_network_and_told_its_normalisation(tmp_path: Path) -> None:
    path, images = write(tmp_path / "net.onnx", ["n", 3, 4, 4], LINEAR), torch.rand(2, 3, 4, 4)
    model = network(str(path), None, (3, 4, 4), 5, reading=Reading(normalisation=Normalisation((0.5,), (0.25,))))
    torch.testing.assert_close(model(images), linear((images - 0.5) / 0.25))


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    cases = [
        (lambda: from_onnx(tmp_path / "none.onnx", (3, 4, 4)), "none.onnx is missing"),
        (lambda: from_onnx(write(path, [1, 3, 4, 4], LINEAR), (1, 4, 4)), r"takes images of 3 x 4 x 4, and these have"),
        (
            lambda: from_onnx(
                write(
                    path, ["n", 48], [("Gelu", "x", "a"), ("Mish", "a", "b"), ("MatMul", "b", "weight", "z")], None, 20
                ),
                (3, 4, 4),
            ),
            r"has no converter for Gelu \(opset 20\), Mish \(opset 20\); export it again",
        ),
        (
            lambda: from_onnx(
                write(path, [1, 3, 4, 4], [*LINEAR[:1], ("MatMul", "flat", "weight", "a"), ("ReduceSum", "a", "z")]),
                (3, 4, 4),
            ),
            "takes one image at a time: its graph names the batch; export it again",
        ),
    ]
    for given, words in cases:
        with pytest.raises((BadRecord, UsageError), match=words) as told:
            given()
        assert "\n" not in str(told.value)
    path.write_bytes(b"<html>")
    with pytest.raises(BadRecord, match="is no ONNX file, or damaged"):
        from_onnx(path, (3, 4, 4))
