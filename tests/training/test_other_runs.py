"""Other runs and other processes in a run's folder, and images that are others than before."""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import Start, train
from holdfast.errors import BadRecord
from holdfast.storage.files import alone
from holdfast.storage.signed import write_json
from tests.training.moment import BASE, OTHER


def test_other_images_under_the_same_name_are_noticed(tmp_path: Path) -> None:
    import numpy as np

    def write(seed: int) -> None:
        generator = np.random.default_rng(seed)
        arrays = {
            f"{split}_images": generator.random((40, 1, 8, 8), dtype=np.float32) for split in ("train", "test")
        } | {f"{split}_labels": np.arange(40) % 10 for split in ("train", "test")}
        np.savez(tmp_path / "own.npz", **arrays)

    run = replace(BASE, data=f"npz:{tmp_path / 'own.npz'}", limit=None)
    write(0)
    train(run, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    write(1)
    with pytest.raises(BadRecord, match="made from other images"):
        train(run, tmp_path / "run")


def test_a_folder_of_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    train(BASE, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BadRecord, match=r"holds another run .*seed: 0 there, 1 here.*choose another folder"):
        train(replace(BASE, seed=1), tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_what_another_process_finished_meanwhile_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    begun: list[str] = []

    def tell(done: int, total: int, words: str) -> None:
        if not begun:  # the first run is trained, and the folder of the second is not yet entered
            begun.append(words)
            train(OTHER, tmp_path / "run")

    with pytest.raises(BadRecord, match="holds another run"):
        train(replace(BASE, start=Start(BASE)), tmp_path / "run", tell=tell)
    train(OTHER, tmp_path / "run", tell=lambda *told: pytest.fail("it is finished"))


def test_weights_of_another_run_are_refused(tmp_path: Path) -> None:
    train(BASE, tmp_path / "a")
    train(OTHER, tmp_path / "b")
    shutil.copy(tmp_path / "a" / "model.safetensors", tmp_path / "b" / "model.safetensors")
    with pytest.raises(BadRecord, match=r"b/model\.safetensors was written for another run"):
        train(OTHER, tmp_path / "b")


def test_the_same_run_in_another_process_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(BASE, tmp_path / "done")
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / "run.json", BASE)
    with ExitStack() as other:
        other.enter_context(alone(tmp_path / "run"))
        with pytest.raises(BadRecord, match="another process carries out another run in"):
            train(OTHER, tmp_path / "run")

        def until_it_is_done(folder: Path) -> None:
            shutil.copy(tmp_path / "done" / "model.safetensors", folder)
            other.close()

        monkeypatch.setattr("holdfast.storage.locks.wait", until_it_is_done)
        told: list[str] = []
        train(BASE, tmp_path / "run", tell=lambda done, total, words: told.append(words))
    assert told == []
