"""What is written down comes back, is whole, and is refused when it is not ours."""

import math
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import L2, Linf, Run, methods, objectives, record
from holdfast.attacks import CW, PGD, DeepFool
from holdfast.data import CropFlip
from holdfast.errors import BadRecord, BadValue
from holdfast.optimization import AdamW, Steps
from holdfast.vocabulary import KINDS

RUN = Run(
    methods.TRADES(PGD(Linf(0.1), steps=3, objective=objectives.divergence), beta=2.5),
    augment=CropFlip(pad=2),
    optimizer=AdamW(),
    schedule=Steps((3, 5.5)),
    held_out=10,
    select=CW(),
)
VALUES = (RUN, DeepFool(), DeepFool(L2(math.inf)), PGD(objective=objectives.Towards(objectives.margin)), Run())


@pytest.mark.parametrize("value", VALUES, ids=record.brief)
def test_describe_and_restore_are_inverse(value: object) -> None:
    assert record.restore(record.describe(value), KINDS) == value


def test_a_fingerprint_changes_with_every_field_and_with_nothing_else() -> None:
    names = {record.fingerprint(value) for value in (RUN, replace(RUN, seed=1), replace(RUN, epochs=11), Run())}
    assert len(names) == 4
    assert record.fingerprint(RUN) == record.fingerprint(replace(RUN))


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    code = "from holdfast import Run, record; print(record.fingerprint(Run()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == record.fingerprint(Run())


def test_brief_says_what_is_not_a_default() -> None:
    assert record.brief(PGD(Linf(0.25), steps=3)) == "PGD(threat=Linf(eps=0.25), steps=3)"


def test_a_function_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(BadValue, match="no name of its own"):
        record.fingerprint(PGD(objective=lambda outputs, targets: outputs[:, 0]))


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from holdfast import record\n"
        "with record.alone(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "in\n"
    with pytest.raises(BadRecord, match="another process is at work in"), record.alone(tmp_path / "run"):
        pass
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    with record.alone(tmp_path / "run"):
        pass


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(BadRecord, match="speaks of 'Nonsense'"):
        record.restore({"kind": "Nonsense"}, KINDS)


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with record.whole(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pickle_that_is_not_ours_is_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "ran").touch, ())

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(BadRecord, match=r"evil\.pt cannot be read .*: do this"):
        record.read_state(tmp_path / "evil.pt", "do this")
    assert not (tmp_path / "ran").exists()


def test_damaged_files_are_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{half")
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BadRecord, match=r"a\.json is damaged .*: do this"):
        record.read_json(tmp_path / "a.json", "do this")
    with pytest.raises(BadRecord, match=r"a\.safetensors is damaged .*: do this"):
        record.read_tensors(tmp_path / "a.safetensors", "do this")
    with pytest.raises(BadRecord, match=r"b\.safetensors is missing: do this"):
        record.read_tensors(tmp_path / "b.safetensors", "do this")


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
        record.load_weights(nn.Linear(4, 2), other.state_dict(), "file")
    assert difference in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4).T, "b": torch.arange(3)}
    record.write_tensors(tmp_path / "t.safetensors", tensors)
    back = record.read_tensors(tmp_path / "t.safetensors", "")
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
