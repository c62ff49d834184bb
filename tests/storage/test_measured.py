"""On what numbers were measured is kept with them."""

from pathlib import Path

import torch

from holdfast.devices import conditions
from holdfast.storage.measured import NOT_RECORDED, Measured, here, of_tensors, said_by, together
from holdfast.storage.signed import read_json, read_tensors, write_json, write_tensors

TWO = Measured(("NVIDIA H200 (x86_64)", "2 CPU threads (x86_64)"), ("holdfast 0.1.0, torch 2.15.0, Python 3.11.1",))


def test_tensors_and_json_keep_it(tmp_path: Path) -> None:
    tensors, text = tmp_path / "a.safetensors", tmp_path / "a.json"
    write_tensors(tensors, {"x": torch.zeros(2)}, cell="a", measured=TWO.word)
    write_json(text, {"mean": 1.0, "measured": TWO})
    read_tensors(tensors, "delete it", cell="a")
    assert of_tensors(tensors) == said_by(read_json(text, "delete it").get("measured")) == TWO


def test_what_an_older_version_wrote_says_nothing_of_it(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(2)}, cell="a")
    assert of_tensors(tmp_path / "a.safetensors") == said_by(None) == NOT_RECORDED


def test_the_different_ones_are_joined() -> None:
    one, other = Measured(("b",), ("1",)), Measured(("a", "b"), ("1",))
    assert together([one, other, Measured()]) == Measured(("a", "b"), ("1",))
    assert together([]) == Measured()
    there = conditions("cpu")
    assert here("cpu") == Measured((there["hardware"],), (there["versions"],))
