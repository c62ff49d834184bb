"""Files of weights by their first bytes, and pickles that are read without running what they ask for."""

import argparse
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict, defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import BadRecord, HoldfastError
from holdfast.models import load
from holdfast.models.foreign_file import read_foreign
from holdfast.models.foreign_storages import read_legacy, read_zip
from holdfast.models.foreign_unpickler import Reader

BOTH = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


class Runs:
    """A payload: whoever unpickles it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path(self.mark).write_text, ("it ran",))


class Evaluates:
    """Another payload, by eval."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (eval, (f"open({str(self.mark)!r}, 'w').close()",))


def weights() -> dict[str, Tensor]:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).state_dict()


@BOTH
@pytest.mark.parametrize("payload", [Runs, Evaluates])
def test_a_payload_is_not_run_and_the_weights_beside_it_are_read(payload: Any, new: bool, tmp_path: Path) -> None:
    path, mark, saved = tmp_path / "net.pt", tmp_path / "ran", weights()
    torch.save({"state_dict": saved, "extra": payload(mark)}, path, _use_new_zipfile_serialization=new)
    content: Any = read_foreign(path)
    assert not mark.exists()
    assert len(content.asked_for) >= 1
    assert all(torch.equal(content.value["state_dict"][name], tensor) for name, tensor in saved.items())
    read_foreign(path, trust=True)
    assert mark.exists()


@BOTH
def test_what_cannot_be_read_without_running_is_refused_with_what_it_asks_for(new: bool, tmp_path: Path) -> None:
    path, mark = tmp_path / "net.pt", tmp_path / "ran"
    torch.save({"state_dict": Evaluates(mark)}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(BadRecord, match=r"it asks for .*eval, which was not run; --trust-pickle") as found:
        load(path, "digits-net", (1, 8, 8), 10)
    assert "\n" not in str(found.value)
    assert not mark.exists()


@BOTH
def test_the_reader_without_torch_s_unpickler_reads_what_torch_does(new: bool, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    base = torch.arange(12.0).reshape(3, 4)
    saved = {
        "view": base[1:, ::2], "same": base.T, "half": base.half(), "brain": base.bfloat16(), "flags": base > 3,
        "parameter": nn.Parameter(base), "none": torch.zeros(0), "count": torch.tensor(7),
        "state": OrderedDict(weights()),
    }  # fmt: skip
    torch.save(saved, path, _use_new_zipfile_serialization=new)
    wanted, found = torch.load(path, weights_only=True), (read_zip if new else read_legacy)(path, set())
    assert isinstance(found, dict)
    for name in wanted.keys() - {"state"}:
        assert found[name].dtype == wanted[name].dtype
        assert torch.equal(found[name], wanted[name])
    assert all(torch.equal(found["state"][name], tensor) for name, tensor in wanted["state"].items())


@BOTH
def test_harmless_objects_become_stand_ins(new: bool, tmp_path: Path) -> None:
    path, net = tmp_path / "net.pt", nn.Sequential(nn.Linear(2, 2))
    others = {
        "args": argparse.Namespace(lr=0.1), "acc": np.float64(0.5), "array": np.zeros(3), "path": Path("x"),
        "default": defaultdict(list, {1: [2]}), "net": nn.DataParallel(net), "sizes": torch.Size((2, 3)), "set": {1, 2},
    }  # fmt: skip
    torch.save({"model": net.state_dict(), **others}, path, _use_new_zipfile_serialization=new)
    value: Any = read_foreign(path).value
    assert value["default"] == {1: [2]}
    assert torch.equal(value["net"]["module.0.weight"], net.state_dict()["0.weight"])


@pytest.mark.parametrize(
    "name", ["torch._utils _rebuild_tensor_v2", "collections OrderedDict", "torch Size", "torch FloatStorage", "a B"]
)
def test_a_pickle_cannot_change_what_it_is_read_with(name: str) -> None:
    program = b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n}X\x01\x00\x00\x00aK\x01sb."
    with pytest.raises((pickle.UnpicklingError, TypeError, AttributeError)):
        Reader(BytesIO(program), lambda identity: torch.zeros(0), set()).load()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\n<html>Google Drive", "is a web page"),
        (b"\x93NUMPY\x01\x00", "numpy array"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"PK\x03\x04half", "cut short or damaged"),
        (b"hello", "no file of weights"),
        (b"\x80\x02}q\x00.", "cannot be read"),
        (b"\x80\x02half", "cannot be read"),
        (struct.pack("<Q", 30) + b'{"a": 1', "is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_file_of_another_kind_is_named_in_one_line(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(data)
    with pytest.raises(BadRecord, match=words) as found:
        read_foreign(tmp_path / "net.pth")
    assert "\n" not in str(found.value)


def test_a_tar_of_weights_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"weights")
    with tarfile.open(tmp_path / "net.pth.tar", "w") as archive:
        archive.add(tmp_path / "net.pt", "net.pt")
    with pytest.raises(BadRecord, match="is a tar archive: unpack it first"):
        read_foreign(tmp_path / "net.pth.tar")


@pytest.mark.parametrize(
    ("inside", "words"), [("a.npy", ".npz"), ("code/constants.pkl", "TorchScript"), ("a.txt", "unpack")]
)
def test_a_zip_of_something_else_is_named(inside: str, words: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr(inside, "x")
    with pytest.raises(BadRecord, match=words):
        read_foreign(tmp_path / "net.pt")


@BOTH
def test_a_file_that_is_cut_short_is_refused(new: bool, tmp_path: Path) -> None:
    torch.save({"a": torch.rand(2000)}, tmp_path / "net.pt", _use_new_zipfile_serialization=new)
    whole = (tmp_path / "net.pt").read_bytes()
    (tmp_path / "net.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadRecord):
        read_foreign(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({"state_dict": [{"a.b": torch.zeros(2)}, {"a.b": torch.ones(2)}]}, "several networks: choose one with --key"),
        ({"epoch": 3}, "holds no weights"),
        ([], "holds no weights"),
        (torch.zeros(3), "holds no weights"),
        ({"module.a.weight": torch.zeros(2)}, "weights of another network"),
    ],
    ids=str,
)
def test_weights_that_are_not_there_or_not_clear_are_refused(saved: object, words: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "net.pt")
    with pytest.raises(HoldfastError, match=words) as found:
        load(tmp_path / "net.pt", "digits-net", (1, 8, 8), 10)
    assert "\n" not in str(found.value)
