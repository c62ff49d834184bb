"""What can go wrong with the files in a run's folder."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from holdfast import train
from holdfast.errors import BadRecord, NotWritten
from holdfast.storage.describe import describe
from holdfast.storage.fingerprint import name_of_described
from holdfast.storage.signed import read_state, write_json, write_state, write_tensors
from holdfast.training import checkpoint
from holdfast.training.folder import read_run, seconds_of
from tests.limited import file_size
from tests.training.moment import BASE, OTHER


def test_a_finished_run_is_read_and_not_trained_again(tmp_path: Path) -> None:
    first = train(BASE, tmp_path)
    told: list[str] = []
    again = train(BASE, tmp_path, tell=lambda done, total, words: told.append(words))
    assert told == []
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
        assert (a.requires_grad, a.grad) == (b.requires_grad, b.grad) == (True, None)
    assert not any(part.training for network in (first, again) for part in network.modules())


def test_metrics_are_written_again_from_the_state(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    told = {name: (tmp_path / name).read_bytes() for name in ("metrics.jsonl", "model.safetensors", "timing.json")}
    for damage in (None, told["metrics.jsonl"] + b'{"epoch": 3, "st', b'{"epoch": 1, "step": 9}\n', b"\xff\n\n\n"):
        for name in told:
            (tmp_path / name).unlink()
        if damage is not None:
            (tmp_path / "metrics.jsonl").write_bytes(damage)
        train(BASE, tmp_path)
        assert told == {name: (tmp_path / name).read_bytes() for name in told}


@pytest.mark.parametrize("name", ["run.json", "last.pt", "model.safetensors"])
def test_a_damaged_file_is_named_with_a_remedy_and_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    if name != "model.safetensors":
        (tmp_path / "model.safetensors").unlink()
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] + b"{")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BadRecord) as caught:
        train(BASE, tmp_path)
    assert str(tmp_path / name) in str(caught.value)
    assert "delete" in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["run.json", "last.pt"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).unlink()
    with pytest.raises(BadRecord, match=name.replace(".", r"\.")):
        train(BASE, tmp_path)


def test_a_run_killed_before_its_first_state_was_whole_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, state: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_state", killed)
        with pytest.raises(KeyboardInterrupt):
            train(BASE, tmp_path / "run")
    train(BASE, tmp_path / "run")
    train(BASE, tmp_path / "whole")
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("name", ["last.pt", "metrics.jsonl"])
def test_a_pipe_in_the_folder_of_a_run_is_not_waited_for(name: str, tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", BASE)
    os.mkfifo(tmp_path / name)
    ended: list[object] = []

    def trained() -> None:
        with suppress(BadRecord):
            train(BASE, tmp_path)
        ended.append(name)

    thread = threading.Thread(target=trained, daemon=True)  # so that one that waits for ever ends with the tests
    thread.start()
    thread.join(20)
    assert ended == [name]


def test_a_full_disk_is_one_line_and_with_room_the_run_goes_on(tmp_path: Path) -> None:
    train(BASE, tmp_path / "whole")
    for size in (100, 10_000):
        with file_size(size), pytest.raises(NotWritten, match=f"{tmp_path}/run/.* cannot be written .*large") as caught:
            train(BASE, tmp_path / "run")
        assert "\n" not in str(caught.value)
    train(BASE, tmp_path / "run")
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_weights_written_before_they_were_bound_to_a_run_are_read(tmp_path: Path) -> None:
    model = train(BASE, tmp_path)
    write_tensors(tmp_path / "model.safetensors", model.state_dict())
    (tmp_path / "run.json").write_text(json.dumps(describe(BASE)))
    (tmp_path / "timing.json").write_text('{"train_seconds": 2.5}')
    again = train(BASE, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert seconds_of(tmp_path) == 2.5


@pytest.mark.parametrize("where", ["networks", "memory", "optimizers", "lines"])
def test_a_state_that_lacks_a_part_is_refused(where: str, tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    saved = read_state(tmp_path / "last.pt", "")
    del saved[where]
    write_state(tmp_path / "last.pt", saved)
    with pytest.raises(BadRecord, match=rf"last\.pt does not hold this run's state .*{where}"):
        train(BASE, tmp_path)


def test_a_time_that_is_not_said_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", BASE)
    for text in ('{"train_secondz": 1}', "[]", '{"train_seconds": 1, "rignature": "0"}', "{"):
        (tmp_path / "timing.json").write_text(text)
        with pytest.raises(BadRecord, match=r"timing\.json"):
            seconds_of(tmp_path)
    write_json(tmp_path / "timing.json", {"run": name_of_described(describe(OTHER)), "train_seconds": 1.0})
    with pytest.raises(BadRecord, match=r"timing\.json does not say how long this run trained"):
        seconds_of(tmp_path)


def test_a_link_that_leads_nowhere_is_no_unfinished_run(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").symlink_to("nowhere")
    with pytest.raises(BadRecord, match=r"model\.safetensors is damaged \(No such file"):
        train(BASE, tmp_path)


def test_a_run_that_cannot_be_is_named_by_its_file(tmp_path: Path) -> None:
    described = json.dumps(describe(BASE)).replace('"epochs": 2', '"epochs": 0')
    (tmp_path / "run.json").write_text(described)  # without a signature, as older versions wrote it
    with pytest.raises(BadRecord, match=r"run\.json cannot be read \(epochs = 0"):
        read_run(tmp_path)


def test_training_time_adds_up_over_sittings(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    assert 0 < seconds_of(tmp_path) < 60
