"""What is written down comes back, is whole, and is refused when it is not ours."""

import json
import math
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from holdfast import L2, Linf, Run, methods, objectives
from holdfast.attacks import CW, PGD, DeepFool
from holdfast.data import CropFlip
from holdfast.errors import BadRecord, BadValue
from holdfast.models.weights import load_weights
from holdfast.storage.describe import describe, differences, restore, short_repr
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import (
    read_any_json,
    read_any_tensors,
    read_json,
    read_state,
    read_tensors,
    write_json,
    write_state,
    write_tensors,
)
from holdfast.training.optimizers import AdamW
from holdfast.training.registry import KINDS
from holdfast.training.schedules import Steps

RUN = Run(
    methods.TRADES(PGD(Linf(0.1), steps=3, objective=objectives.divergence), beta=2.5),
    augment=CropFlip(pad=2),
    optimizer=AdamW(),
    schedule=Steps((3, 5.5)),
    held_out=10,
    select=CW(),
)
VALUES = (
    RUN,
    DeepFool(),
    DeepFool(L2(math.inf)),
    PGD(objective=objectives.Towards(objectives.margin)),
    PGD(objective=objectives.Joint(objectives.cross_entropy, 2.0)),
    PGD(objective=objectives.Joint(objectives.summed_margin, 2.0)),
    Run(),
)


@pytest.mark.parametrize("value", VALUES, ids=short_repr)
def test_describe_and_restore_are_inverse(value: object) -> None:
    assert restore(describe(value), KINDS) == value


TEXTS = ({"worst": ("L2", "inf")}, {"nan": "-inf", "limit": -math.inf}, {"inf": {"kind": "nan"}})
CALLED_KIND: tuple[object, ...] = (
    {"kind": Linf(0.1), "b": 1},
    {"kind": (94.0, 1.0)},
    {"kind": "Linf"},
    {"kind": math.inf},
    {"kind": {}},
)


@pytest.mark.parametrize("value", [*TEXTS, *CALLED_KIND], ids=str)
def test_any_words_may_be_texts_and_names_of_a_mapping(value: object) -> None:
    described = json.loads(json.dumps(describe(value)))
    assert restore(described, KINDS) == value
    assert differences(described, describe(value)) == []


def test_a_fingerprint_changes_with_every_field_and_with_nothing_else() -> None:
    names = {fingerprint(value) for value in (RUN, replace(RUN, seed=1), replace(RUN, epochs=11), Run())}
    assert len(names) == 4
    assert fingerprint(RUN) == fingerprint(replace(RUN))


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    code = "from holdfast import Run; from holdfast.storage.fingerprint import fingerprint; print(fingerprint(Run()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == fingerprint(Run())


def test_brief_says_what_is_not_a_default() -> None:
    assert short_repr(PGD(Linf(0.25), steps=3)) == "PGD(threat=Linf(eps=0.25), steps=3)"


def test_a_function_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(BadValue, match="no name of its own"):
        fingerprint(PGD(objective=lambda outputs, targets: outputs[:, 0]))


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(BadRecord, match="'Nonsense'"):
        restore({"kind": "Nonsense"}, KINDS)


def test_a_pickle_that_is_not_ours_is_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "ran").touch, ())

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(BadRecord, match=r"evil\.pt cannot be read .*: do this"):
        read_state(tmp_path / "evil.pt", "do this")
    assert not (tmp_path / "ran").exists()


def test_damaged_files_are_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{half")
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BadRecord, match=r"a\.json is damaged .*: do this"):
        read_json(tmp_path / "a.json", "do this")
    with pytest.raises(BadRecord, match=r"a\.safetensors is damaged .*: do this"):
        read_tensors(tmp_path / "a.safetensors", "do this")
    with pytest.raises(BadRecord, match=r"b\.safetensors is missing: do this"):
        read_tensors(tmp_path / "b.safetensors", "do this")


def refusals(path: Path, count: int, read: Callable[[], object]) -> int:
    """Flip `count` bits of a file, one at a time, and cut it at twenty places; return how often `read` refuses it.

    Otherwise it must say what it said before.
    """
    data, right, refused = path.read_bytes(), read(), 0
    spots = random.Random(0).sample(range(8 * len(data)), count)
    changed = [data[: spot // 8] + bytes([data[spot // 8] ^ 1 << spot % 8]) + data[spot // 8 + 1 :] for spot in spots]
    for damaged in [*changed, *(data[:length] for length in range(0, len(data), len(data) // 20))]:
        path.write_bytes(damaged)
        try:
            assert read() == right
        except BadRecord as error:
            refused += str(path) in str(error)
    return refused


def test_damaged_json_is_noticed_or_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 0.1, "words": "é", "list": [1, None, True]})
    assert refusals(path, 300, lambda: read_json(path, "do this")) > 200


def test_tensors_that_share_memory_are_each_written(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    tensors = {"whole": whole, "tied": whole, "part": whole[2:4], "turned": whole.reshape(2, 3).T, "empty": whole[:0]}
    write_tensors(tmp_path / "a.safetensors", tensors)
    found = read_tensors(tmp_path / "a.safetensors", "")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_tensor_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"'head\._extra_state'.* dict"):
        write_tensors(tmp_path / "a.safetensors", {"head._extra_state": {"note": 3}})  # type: ignore[dict-item]


def test_damaged_tensors_are_noticed_or_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.tensor([1.0, -2.0]), "empty": torch.zeros(0)}, run="mine")

    def read() -> dict[str, list[float]]:
        return {name: tensor.tolist() for name, tensor in read_tensors(path, "", run="mine").items()}

    assert refusals(path, 300, read) > 200


def test_a_damaged_state_is_noticed_or_the_same(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    write_state(path, {"a": torch.arange(300.0), "step": 3})

    def read() -> tuple[list[float], int]:
        state = read_state(path, "")
        return state["a"].tolist(), state["step"]

    assert refusals(path, 200, read) > 100


def test_what_carries_no_signature_or_belongs_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    with pytest.raises(BadRecord, match=r"a\.json carries no signature"):
        read_json(tmp_path / "a.json", "do this")
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(BadRecord, match=r"a\.safetensors carries no signature"):
        read_tensors(tmp_path / "a.safetensors", "do this")
    assert read_any_json(tmp_path / "a.json", "") == {"a": 1}
    assert torch.equal(read_any_tensors(tmp_path / "a.safetensors", "")["a"], torch.zeros(2))
    write_tensors(tmp_path / "b.safetensors", {"a": torch.zeros(2)}, run="mine")
    with pytest.raises(BadRecord, match=r"b\.safetensors was written for another run \(mine, not yours\)"):
        read_tensors(tmp_path / "b.safetensors", "do this", run="yours")


@pytest.mark.parametrize("state", [[1], 3, torch.zeros(2)], ids=lambda state: type(state).__name__)
def test_a_file_that_is_no_state_is_refused(state: object, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(BadRecord, match=r"last\.pt holds no training state: do this"):
        read_state(tmp_path / "last.pt", "do this")


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (nn.Linear(3, 2), "'weight' is (2, 3) there and (2, 4) here"),
        (nn.Linear(4, 2, bias=False), "it lacks 'bias'"),
        (nn.Sequential(nn.Linear(4, 2)), "it lacks 'bias'"),
    ],
)
def test_weights_of_another_network_are_refused(other: nn.Module, difference: str) -> None:
    with pytest.raises(BadRecord) as caught:
        load_weights(nn.Linear(4, 2), other.state_dict(), "file")
    assert difference in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4).T, "b": torch.arange(3)}
    write_tensors(tmp_path / "t.safetensors", tensors)
    back = read_tensors(tmp_path / "t.safetensors", "")
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_a_number_of_numpy_is_written_as_python_s_is() -> None:
    import numpy as np

    assert type(describe(np.int64(64))) is int
    assert describe(np.float64(0.5)) == 0.5
