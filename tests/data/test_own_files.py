"""A user's own images: a folder, a zip of it, an .npz file, and what is said when they do not fit."""

import logging
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data import load
from holdfast.data.image_files import read_images
from holdfast.errors import BadImages, BadLabels, BadValue, MissingData

random = np.random.default_rng(0)


def write_folder(path: Path, mode: str = "RGB") -> Path:
    for split, count in (("train", 3), ("test", 1)):
        for shade, name in ((50, "cat"), (150, "ant")):
            (path / split / name).mkdir(parents=True)
            for place in range(count):
                colour = (shade, place, 255) if mode == "RGB" else shade + place
                Image.new(mode, (6, 5), colour).save(path / split / name / f"{place}.png")
    return path


def zipped(folder: Path, prefix: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{prefix}{file.relative_to(folder)}")
        archive.writestr("__MACOSX/train/cat/._0.png", b"no picture")
    return path


def test_a_folder_is_read_by_class(tmp_path: Path) -> None:
    found = load(f"folder:{write_folder(tmp_path / 'pets')}", "train")
    assert found.shape == (3, 5, 6)
    assert found.images.dtype == torch.uint8
    assert found.classes == ("ant", "cat")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.images[:, :, 0, 0].tolist() == [[shade, place, 255] for shade in (150, 50) for place in range(3)]


@pytest.mark.parametrize("prefix", ["", "pets/"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_zip_is_the_folder(prefix: str, split: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets")
    expected, found = load(f"folder:{folder}", split), load(f"folder:{zipped(folder, prefix)}", split)
    assert torch.equal(found.images, expected.images)
    assert torch.equal(found.labels, expected.labels)
    assert found.classes == expected.classes


def test_a_folder_of_grey_images_has_one_channel(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", "L")
    assert load(f"folder:{folder}", "train").images[:, 0, 0, 0].tolist() == [150, 151, 152, 50, 51, 52]
    Image.new("RGB", (6, 5)).save(folder / "train" / "cat" / "colour.jpg")
    assert load(f"folder:{folder}", "train").shape == (3, 5, 6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK"])
def test_other_kinds_of_pictures_are_turned_into_colours(mode: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets")
    name = "odd.JPG" if mode == "CMYK" else "odd.PNG"
    options = {"transparency": b"\x00\x80"} if mode == "P" else {}
    Image.new("L", (6, 5), 255).convert(mode).save(folder / "test" / "cat" / name, **options)
    assert load(f"folder:{folder}", "test").images[-1].tolist() == [[[255] * 6] * 5] * 3


def test_a_class_that_one_split_lacks_keeps_its_number(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets")
    (folder / "test" / "ant" / "0.png").unlink()
    found = load(f"folder:{folder}", "test")
    assert found.classes == ("ant", "cat")
    assert found.labels.tolist() == [1]


def test_a_limit_decodes_only_what_is_kept(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets")
    all_of_them = load(f"folder:{folder}", "train")
    few = load(f"folder:{folder}", "train", limit=4)
    assert len(few) == 4
    assert all((all_of_them.images == image).flatten(1).all(1).any() for image in few.images)


def test_folders_that_do_not_fit_are_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="'folder' names no path; write folder:PATH"):
        load("folder", "train")
    with pytest.raises(MissingData, match=r"there is nothing at .*nowhere; folder:PATH expects a folder or a .zip"):
        load(f"folder:{tmp_path / 'nowhere'}", "train")
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(MissingData, match=r"text is neither a folder nor a .zip"):
        load(f"folder:{tmp_path / 'text'}", "train")
    with pytest.raises(MissingData, match="has no train pictures; expected train/CLASS/"):
        load(f"folder:{tmp_path}", "train")


def test_the_odd_picture_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets")
    odd = folder / "train" / "cat" / "odd.png"
    Image.new("RGB", (7, 5)).save(odd)
    with pytest.raises(
        BadImages, match=r"train/cat/odd.png is 5x7, but train/ant/0.png is 5x6: all images .* one size"
    ):
        load(f"folder:{folder}", "train")
    Image.new("I;16", (6, 5)).save(odd)
    with pytest.raises(BadImages, match=r"train/cat/odd.png has pixels of kind I;16.*; holdfast reads .* 8 bits"):
        load(f"folder:{folder}", "train")
    odd.write_bytes(b"no picture")
    with pytest.raises(BadImages, match=r"train: train/cat/odd.png cannot be read as a PNG or JPEG picture"):
        load(f"folder:{folder}", "train")


def test_pictures_in_hidden_folders_are_not_purified(tmp_path: Path) -> None:
    for place in (".thumbnails/0.png", "a/.cache/0.png", "__MACOSX/0.png", "a/0.png", "a/.0.png"):
        (tmp_path / "given" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 5)).save(tmp_path / "given" / place)
    assert read_images(tmp_path / "given", tmp_path / "out").names == ("a/0.png",)


def test_a_folder_of_one_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    Image.new("RGB", (6, 5)).save(tmp_path / "train" / "cat" / "0.png")
    with pytest.raises(BadLabels, match="a classifier needs two or more"):
        load(f"folder:{tmp_path}", "train")


def write_npz(path: Path, **changed: object) -> str:
    arrays: dict[str, object] = {
        "train_images": random.integers(0, 256, (6, 5, 4), dtype=np.uint8),
        "train_labels": np.array([0, 1, 2, 0, 1, 2]),
        "test_images": random.random((2, 5, 4)),
        "test_labels": np.array([[3], [0]], np.uint8),
    }
    kept = {name: array for name, array in (arrays | changed).items() if array is not None}
    np.savez(path / "own.npz", **kept)  # type: ignore[arg-type]
    return f"npz:{path / 'own.npz'}"


def test_arrays_are_bytes_or_floats(tmp_path: Path) -> None:
    name = write_npz(tmp_path)
    train, test = load(name, "train"), load(name, "test")
    assert (train.shape, train.images.dtype, len(train)) == ((1, 5, 4), torch.uint8, 6)
    assert (test.shape, test.images.dtype, test.labels.tolist()) == ((1, 5, 4), torch.float32, [3, 0])
    assert train.classes == test.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_come_last_or_second(channels: int, tmp_path: Path) -> None:
    images = random.integers(0, 256, (6, channels, 5, 4), dtype=np.uint8)
    for given in (images, images.transpose(0, 2, 3, 1)):
        found = load(write_npz(tmp_path, train_images=given), "train")
        assert torch.equal(found.images, torch.from_numpy(images))


def test_one_split_alone_is_enough(tmp_path: Path) -> None:
    name = write_npz(tmp_path, train_images=None, train_labels=None)
    assert len(load(name, "test")) == 2
    with pytest.raises(MissingData, match=r"own.npz has no array called train_images or train_labels"):
        load(name, "train")


def test_the_files_of_medmnist_are_read_with_the_classes_of_all_three_splits(tmp_path: Path) -> None:
    held_out = {
        "val_images": random.integers(0, 256, (3, 5, 4), dtype=np.uint8),
        "val_labels": np.array([[5], [1], [2]]),
    }
    assert len(load(write_npz(tmp_path, **held_out), "test").classes) == 6
    assert load(write_npz(tmp_path, **held_out), "test").labels.tolist() == [3, 0]


def test_what_was_held_out_is_the_test_split_where_there_is_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held_out = {"val_images": np.full((3, 5, 4), 7, np.uint8), "val_labels": np.array([[2], [1], [2]])}
    name = write_npz(tmp_path, test_images=None, test_labels=None, **held_out)
    with caplog.at_level(logging.WARNING, "holdfast"):
        found = load(name, "test")
    assert (found.labels.tolist(), int(found.images.max())) == ([2, 1, 2], 7)
    assert "own.npz has no test_images: val_images are read" in caplog.text


def test_classes_that_no_image_shows_are_named(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "cat", "dog", "eel"])
    for given in (names, names.astype("S")):
        assert load(write_npz(tmp_path, classes=given), "test").classes == ("ant", "bee", "cat", "dog", "eel")


def test_arrays_that_are_nothing_of_ours_are_left_alone(tmp_path: Path) -> None:
    name = write_npz(tmp_path, labels=np.array([999]), images=np.array([{}, None]))
    assert load(name, "test").classes == load(name, "train").classes == ("0", "1", "2", "3")


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (4, 3, 8, 3), (4, 1, 5, 4)], ids=str)
def test_what_an_attack_wrote_is_a_test_split_with_its_channels_first(shape: tuple[int, ...], tmp_path: Path) -> None:
    images, labels = random.random(shape, np.float32), np.array([0, 1, 2, 1])
    np.savez(tmp_path / "attacked.npz", images=images, labels=labels, original=images)
    found = load(f"npz:{tmp_path / 'attacked.npz'}", "test")
    assert torch.equal(found.images, torch.from_numpy(images))
    assert found.labels.tolist() == [0, 1, 2, 1]
    with pytest.raises(MissingData, match="no array called train_images or train_labels"):
        load(f"npz:{tmp_path / 'attacked.npz'}", "train")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("last", [True, False])
def test_images_of_one_s_own_to_be_judged_have_their_channels_last_or_second(
    channels: int, last: bool, tmp_path: Path
) -> None:
    images = random.random((4, channels, 6, 5), np.float32)
    given = images.transpose(0, 2, 3, 1) if last else images
    np.savez(tmp_path / "own.npz", images=given, labels=np.array([0, 1, 2, 1]))
    found = load(f"npz:{tmp_path / 'own.npz'}", "test")
    assert torch.equal(found.images, torch.from_numpy(images))
    files = read_images(tmp_path / "own.npz", tmp_path / "out.npz")
    assert torch.equal(files.images, torch.from_numpy(images))
    assert np.array_equal(files.as_given(files.images), given)


@pytest.mark.parametrize(
    ("name", "array", "error", "message"),
    [
        ("classes", np.array(5), BadLabels, r"classes have shape \(\); expected a row of names"),
        ("classes", np.array(["ant", None]), BadLabels, "write the names as text, not as objects"),
        ("classes", np.array(["ant", "bee"]), BadLabels, r"labels are in \[0, 2\]; 2 classes"),
        ("train_images", np.zeros((6, 5, 4), np.int64), BadImages, "images are int64; expected uint8, or floating"),
        ("train_images", np.zeros((6, 5)), BadImages, r"images have shape \(6, 5\); expected \(n, h, w\)"),
        ("train_images", np.zeros((6, 3, 5, 3)), BadImages, r"shape \(6, 3, 5, 3\): which axis holds the channels"),
        ("train_images", np.full((6, 5, 4), 255.0), BadImages, r"in \[255, 255\]; .*: divide them by 255"),
        (
            "train_images",
            np.full((6, 5, 4), None),
            BadImages,
            "own.npz cannot be read as an .npz file of plain numbers",
        ),
        ("train_images", np.zeros((6, 9, 9, 9), np.uint8), BadImages, r"shape \(6, 9, 9, 9\): volumes, and holdfast"),
        ("train_labels", np.zeros((6, 14), np.uint8), BadLabels, r"labels have shape \(6, 14\).*argmax.*multi-label"),
        ("train_labels", np.zeros(6), BadLabels, "labels are float64; expected whole numbers"),
        ("train_labels", np.zeros(5, int), BadLabels, r"labels have shape \(5,\); expected \(6,\)"),
        ("train_labels", np.full(6, -1), BadLabels, r"labels are in \[-1, -1\]; 4 classes"),
    ],
)
def test_arrays_that_do_not_fit_are_named(
    name: str, array: object, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=rf"^npz:.*own.npz, train: .*{message}"):
        load(write_npz(tmp_path, **{name: array}), "train")


def test_files_that_hold_no_arrays_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="'npz:' names no path; write npz:PATH"):
        load("npz:", "train")
    with pytest.raises(MissingData, match=r"there is no file .*none.npz; npz:PATH expects an .npz file"):
        load(f"npz:{tmp_path / 'none.npz'}", "train")
    (tmp_path / "text.npz").write_text("no arrays")
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name in ("text.npz", "one.npy"):
        with pytest.raises(BadImages, match=f"{name} cannot be read as an .npz file of plain numbers"):
            load(f"npz:{tmp_path / name}", "train")


def test_a_label_written_without_its_sign_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    labels = np.array([0, 1, -1]).astype(np.uint32)
    np.savez(path, test_images=np.zeros((3, 1, 8, 8), np.uint8), test_labels=labels)
    with pytest.raises(BadLabels, match="4294967295"):
        load(f"npz:{path}", "test")


def test_training_labels_that_begin_at_1_are_refused(tmp_path: Path) -> None:
    images, labels = np.zeros((4, 1, 8, 8), "uint8"), np.arange(1, 5)
    arrays = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez(tmp_path / "one.npz", **arrays)
    for split in ("train", "test"):
        with pytest.raises(BadLabels, match=r"one\.npz: train_labels begin at 1, .*: subtract 1 .*called classes$"):
            load(f"npz:{tmp_path}/one.npz", split)
    np.savez(tmp_path / "named.npz", **arrays, classes=np.array(["none", "a", "b", "c", "d"]))
    assert load(f"npz:{tmp_path}/named.npz", "test").labels.tolist() == [1, 2, 3, 4]
    np.savez(tmp_path / "test.npz", test_images=images, test_labels=labels)  # a part may lack any class
    assert len(load(f"npz:{tmp_path}/test.npz", "test").classes) == 5
