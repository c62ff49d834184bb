"""holdfast attack: the images it writes, and what it says of them."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.data import load
from holdfast.devices import conditions, on_which
from holdfast.models import build
from holdfast.passes import counting
from holdfast.storage.signed import write_tensors
from tests import limited
from tests.cli.saying import said


def test_attack_writes_images_that_stay_in_the_ball(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "attacked.npz"
    words = ("--limit", "40", "--attack.threat.eps", "0.2", "--out", out)
    status, told, _ = said(capsys, "attack", "pgd", folder, *words)
    assert status == 0
    assert "rounded to 8 bits" in told
    assert on_which(conditions("auto")) in told
    with np.load(out) as arrays:
        assert arrays["images"].shape == (40, 1, 8, 8)
        assert np.abs(arrays["images"] - arrays["original"]).max() <= 0.2 + 1e-6
        again = load(f"npz:{out}", "test")
        assert torch.equal(again.images, torch.from_numpy(arrays["images"]))
    assert again.classes == load("digits", "test").classes


def test_attack_prints_what_another_network_answers_and_what_the_attack_spent(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = build("lenet", (1, 8, 8), 10).eval(), tmp_path / "a.npz"
    write_tensors(tmp_path / "other.safetensors", other.state_dict())
    words = (
        "attack",
        "pgd",
        folder,
        "--limit",
        "60",
        "--attack.steps",
        "4",
        "--attack.threat.eps",
        "0.2",
        "--out",
        out,
    )
    transfer = ("--judge", tmp_path / "other.safetensors", "--judge-model", "lenet")
    white = said(capsys, *words)[1]
    out.unlink()
    black = said(capsys, *words, *transfer)[1]
    assert "4.0 forward and 4.0 backward passes an image" in white
    assert "4.0 forward and 4.0 backward passes an image" in black
    with np.load(out) as arrays:
        images, original, labels = (torch.from_numpy(arrays[name]) for name in ("images", "original", "labels"))
    before, after = (float((other(x).argmax(1) == labels).float().mean()) for x in (original, images))
    assert f"60 images: accuracy {before:.1%} clean, {after:.1%} attacked," in black
    assert black != white


def test_attack_is_judged_by_a_run_as_well(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("attack", "FGSM", folder, "--limit", "40", "--out", tmp_path / "a.npz")
    judged = said(capsys, *words, "--judge", folder)
    (tmp_path / "a.npz").unlink()
    assert judged == said(capsys, *words)


def test_what_is_there_is_not_written_over_and_what_cannot_be_written_is_told_first(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.npz"
    np.savez(own, images=np.zeros((3, 1, 8, 8), np.float32), labels=np.arange(3))
    before = own.read_bytes()
    words = ("attack", "FGSM", folder, "--limit", "3", "--out")
    status, _, err = said(capsys, *words, own)
    assert (status, err.count("\n")) == (2, 1)
    assert "is there already" in err
    assert own.read_bytes() == before
    with counting() as spent:
        status, _, err = said(capsys, *words, own / "below" / "a.npz")
    assert (status, err.count("\n")) == (2, 1)
    assert spent.forwards == 0


def test_attack_writes_pictures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, _ = said(capsys, "attack", "FGSM", folder, "--limit", "3", "--out", tmp_path / "pictures")
    assert status == 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3
    words = ("attack", "FGSM", folder, "--limit", "2", "--out", tmp_path / "pictures")
    status, _, error = said(capsys, *words)
    assert (status, error.count("\n")) == (2, 1)
    assert "holds pictures already" in error


@pytest.mark.parametrize("here", [".", "", "./"])
def test_pictures_may_be_written_into_this_folder(
    here: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    words = ("attack", "FGSM", folder, "--limit", "3", f"--out={here}")
    status, _, err = said(capsys, *words)
    assert status == 0, err
    assert len(list((tmp_path / "here").glob("*.png"))) == 3
    status, _, err = said(capsys, *words)
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("name", [f"{'x' * 250}.npz", f"{'x' * 300}.npz", "x" * 300], ids=len)
def test_a_name_too_long_for_the_disk_is_told_before_the_work(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with counting() as spent:
        status, _, err = said(capsys, "attack", "FGSM", folder, "--limit", "3", "--out", tmp_path / name)
    assert (status, err.count("\n"), spent.forwards) == (2, 1, 0)


@pytest.mark.parametrize("name", ["pictures", "a.npz"])
def test_what_fails_half_way_is_in_no_way_of_another_try(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("attack", "FGSM", folder, "--limit", "3", "--out", tmp_path / name)
    with limited.file_size(50):
        status, _, err = said(capsys, *words)
    assert (status, err.count("\n")) == (2, 1)
    assert name in err
    assert "3 images:" in err  # what was found out is not lost
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert said(capsys, *words)[0] == 0


def test_images_without_room_where_they_belong_are_kept_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("holdfast.data.written_images._write_pictures", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, _, err = said(capsys, "attack", "FGSM", folder, "--limit", "3", "--out", tmp_path / "pictures")
    assert status == 2
    kept = next(tmp_path.rglob("attacked.npz"))
    assert str(kept) in err
    assert len(load(f"npz:{kept}", "test")) == 3


def test_any_class_can_name_a_picture(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["é" * 250, "a/b", "..", "a\0b", "\udcff", "line\n", *"6789"]
    arrays = {"test_images": np.zeros((10, 8, 8), np.uint8), "test_labels": np.arange(10), "classes": np.array(names)}
    np.savez(tmp_path / "own.npz", **arrays)
    data = ("--data", f"npz:{tmp_path / 'own.npz'}", "--out", tmp_path / "pictures")
    assert said(capsys, "attack", "FGSM", folder, *data)[0] == 0
    written = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert [name[:6] for name in written] == [f"{place:05d}-" for place in range(10)]


def test_attack_takes_weights_with_an_architecture(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--limit", "5", "--out", tmp_path / "a.npz")
    assert said(capsys, "attack", "FGSM", folder / "model.safetensors", "--model", "digits-net", *out)[0] == 0


def test_images_come_back_from_bytes_to_the_nearest(folder: Path) -> None:
    from holdfast.data.written_images import to_bytes

    images = torch.tensor([0.0, 0.49 / 255, 0.51 / 255, 1.0])
    assert to_bytes(images).tolist() == [0, 0, 1, 255]


def test_the_radius_of_an_attack_may_be_a_fraction(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("attack", "FGSM", folder, "--limit", "40", "--out", tmp_path / "a.npz", "--attack.threat.eps")
    quarter = said(capsys, *words, "1/4")[:2]
    (tmp_path / "a.npz").unlink()
    assert quarter == said(capsys, *words, "0.25")[:2]
    status, _, err = said(capsys, *words, "1/0")
    assert status == 2
    assert len(err.splitlines()) == 1


def test_a_library_s_network_is_attacked_with_its_public_weights_or_not_at_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    words = ("attack", "FGSM", "torchvision:resnet18", "--data", "made-up:3x32x32", "--limit", "2", "--out")
    status, _, err = said(capsys, *words, tmp_path / "a.npz")
    assert status == 2
    assert "weights" in err
    assert len(err.splitlines()) == 1
    assert said(capsys, *words, tmp_path / "a.npz", "--no-pretrained")[0] == 0
