"""Class folders in the layouts in which ImageNet and its like lie on disks, and which label a folder means."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data import Framing, ImageSet, load
from holdfast.data.class_folders import imagenet_classes
from holdfast.errors import BadImages, BadLabels, BadValue, HoldfastError, MissingData
from holdfast.framing import framed_pixels

FISH, BIRD, DOG = "n01440764", "n01514668", "n02099601"


def write(folder: Path, *places: str, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> str:
    """Write a picture to each place, the first with a red of 1, the next of 2, and return the source."""
    for number, place in enumerate(places, 1):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, (number, 0, 0) if mode == "RGB" else number).save(path, "PNG")
    return f"imagefolder:{folder}"


def reds(data: ImageSet) -> list[int]:
    return data.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    "place", ["val/{}", "test/{}", "validation/{}", "{}", "val/{}/images", "ILSVRC/Data/CLS-LOC/{}", "val/part/{}"]
)
def test_classes_are_folders_at_any_depth_sorted_by_name(place: str, tmp_path: Path) -> None:
    name = write(tmp_path, *(f"{place.format(each)}/0.JPEG" for each in ("cat", "ant")))
    (tmp_path / "read me.txt").write_text("no picture")
    found = load(name, "test")
    assert (found.classes, found.labels.tolist(), reds(found)) == (("ant", "cat"), [0, 1], [2, 1])
    assert found.framed == ""


def test_a_test_split_without_class_folders_leaves_the_work_to_val(tmp_path: Path) -> None:
    name = write(tmp_path, "test/ILSVRC2012_test_1.JPEG", "val/ant/0.jpg", "val/cat/0.jpg", "train/bee/0.jpg")
    found = load(name, "test")
    assert (found.classes, found.labels.tolist(), reds(found)) == (("ant", "bee", "cat"), [0, 2], [2, 3])
    train = load(name, "train")
    assert (train.classes, train.labels.tolist(), reds(train)) == (found.classes, [1], [4])


@pytest.mark.parametrize("place", ["{}", "animals/{}", "{}/images"])
def test_both_splits_find_the_classes_of_train_by_one_rule(place: str, tmp_path: Path) -> None:
    name = write(tmp_path, *(f"{split}/{place.format(each)}/0.png" for split in ("val", "train") for each in "bc"))
    write(tmp_path, "train/.checkpoints/0.png")
    (tmp_path / "train" / "a").mkdir()
    train, test = load(name, "train"), load(name, "test")
    assert train.classes == test.classes == ("b", "c")
    assert train.labels.tolist() == test.labels.tolist() == [0, 1]


def test_a_folder_of_images_below_no_class_is_no_class(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "test/images/test_0.JPEG", "val/images/val_0.JPEG")
    name = write(tmp_path, *(f"train/{each}/images/{each}_0.JPEG" for each in ("ant", "cat")))
    assert load(name, "train").classes == ("ant", "cat")
    with pytest.raises(MissingData, match=r"test/images/test_0\.JPEG"):
        load(name, "test")
    write(tmp_path, "val/cat/images/val_1.JPEG")
    found = load(name, "test")
    assert (found.classes, found.labels.tolist()) == (("ant", "cat"), [1])
    assert "1 pictures" in caplog.text
    assert "images/val_0.JPEG" in caplog.text


def test_a_part_of_imagenet_has_the_labels_of_the_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = load(write(tmp_path, f"val/{DOG}/0.JPEG", f"val/{FISH}/0.JPEG"), "test")
    assert (found.labels.tolist(), reds(found), len(found.classes)) == ([0, 207], [2, 1], 1000)
    assert found.classes[207] == DOG
    assert "2 of ImageNet's 1,000 class folders are there: labels are those of the 1,000" in caplog.text


@pytest.mark.parametrize("says", ["train", "wnids.txt"])
def test_a_set_of_some_of_imagenet_s_classes_says_which(
    says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = write(tmp_path, f"val/{DOG}/0.JPEG", f"val/{FISH}/0.JPEG")
    if says == "train":
        write(tmp_path, *(f"train/{each}/0.JPEG" for each in (BIRD, DOG, FISH)))
    else:
        (tmp_path / "wnids.txt").write_text(f"{DOG}\n{BIRD}\n{FISH}\n")
    found = load(name, "test")
    assert (found.classes, found.labels.tolist()) == ((FISH, BIRD, DOG), [0, 2])
    assert "2 of 3 classes have pictures here" in caplog.text


def test_training_folders_say_their_own_classes_without_a_test_set(tmp_path: Path) -> None:
    found = load(write(tmp_path, f"train/{DOG}/0.JPEG", f"train/{FISH}/0.JPEG"), "train")
    assert (found.classes, found.labels.tolist()) == ((FISH, DOG), [0, 1])


def test_the_classes_of_imagenet_are_in_their_order() -> None:
    found = imagenet_classes()
    assert found[:5] == ("n01440764", "n01443537", "n01484850", "n01491361", "n01494475")
    assert (len(set(found)), list(found)) == (1000, sorted(found))
    timm = find_spec("timm")
    if timm is None or timm.origin is None:
        pytest.skip("timm, whose list it is compared with, is not installed")
    listed = Path(timm.origin).parent / "data" / "_info" / "imagenet_synsets.txt"
    assert list(found) == listed.read_text().split()


@pytest.mark.parametrize(
    ("folders", "labels", "classes", "said"),
    [
        (("0", "2", "10"), [0, 2, 10], 11, "3 of 11 classes have pictures here"),
        (("00", "01", "02"), [0, 1, 2], 3, ""),
        (("1", "2", "3"), [0, 1, 2], 3, "called 1 to 3: they are labels 0 to 2"),
        (("3", "7"), [3, 7], 8, "2 of 8 classes have pictures here"),
    ],
    ids=["a part", "two digits", "from 1", "a part without 0"],
)
def test_folders_called_by_whole_numbers_say_their_labels(
    folders: Sequence[str], labels: list[int], classes: int, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = load(write(tmp_path, *(f"val/{each}/0.png" for each in folders)), "test")
    assert (sorted(found.labels.tolist()), len(found.classes)) == (labels, classes)
    assert said in caplog.text if said else not caplog.text


@pytest.mark.parametrize(
    ("places", "split", "kind", "words"),
    [
        (("val/ILSVRC2012_val_1.JPEG",), "test", MissingData, "ILSVRC2012_val_1.JPEG lies in no class folder"),
        (
            ("train/ant/0.png", "train/cat/0.png"),
            "test",
            MissingData,
            "no test pictures in class folders; expected PATH",
        ),
        (("val/ant/0.png", "val/cat/0.png"), "train", MissingData, "no train pictures in class folders"),
        (
            ("fog/1/ant/0.png", "fog/2/ant/0.png"),
            "test",
            BadLabels,
            "class ant is in two places, fog/1/ant and fog/2/ant",
        ),
        (("val/ant/0.png",), "test", BadLabels, "a classifier needs two or more"),
        (("val/1/0.png", "val/01/0.png"), "test", BadLabels, "two class folders are the same number: 01, 1"),
        (("val/20240101/0.png", "val/0/0.png"), "test", BadLabels, "a class folder is called 20240101"),
    ],
)
def test_folders_that_do_not_fit_are_named(
    places: Sequence[str], split: str, kind: type[HoldfastError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        load(write(tmp_path, *places), split)


def test_paths_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="'imagefolder:' names no path; write imagefolder:PATH"):
        load("imagefolder:", "test")
    with pytest.raises(MissingData, match=r"there is no folder .*nowhere; imagefolder:PATH expects PATH/val/CLASS"):
        load(f"imagefolder:{tmp_path / 'nowhere'}", "test")


def test_links_are_followed_and_none_in_circles(tmp_path: Path) -> None:
    name = write(tmp_path, "elsewhere/ant/0.png", "val/cat/0.png")
    (tmp_path / "val" / "ant").symlink_to(tmp_path / "elsewhere" / "ant")
    (tmp_path / "val" / "cat" / "round").symlink_to(tmp_path / "val")
    assert load(name, "test").classes == ("ant", "cat")


def test_grey_pictures_keep_one_channel_and_a_limit_takes_a_part(tmp_path: Path) -> None:
    name = write(tmp_path, *(f"val/{each}/{place}.png" for each in "ab" for place in range(5)), mode="L")
    assert load(name, "test").shape == (1, 5, 6)
    assert len(load(name, "test", limit=3)) == 3


SIZES = [(9, 20), (20, 9), (13, 13), (40, 11)]


@pytest.mark.parametrize(
    "framing", [Framing(10, 8, "bicubic"), Framing((7, 9)), Framing(None, (6, 12)), Framing(12, 8)], ids=str
)
@pytest.mark.parametrize("kind", ["imagefolder", "folder"])
def test_pictures_are_framed_as_torchvision_frames_them(kind: str, framing: Framing, tmp_path: Path) -> None:
    from torchvision import transforms

    random = np.random.default_rng(0)
    pictures = [Image.fromarray(random.integers(0, 256, (rows, columns, 3), np.uint8)) for columns, rows in SIZES]
    for number, picture in enumerate(pictures):
        place = tmp_path / "test" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number}.png")
    mode = transforms.InterpolationMode(framing.interpolation)
    steps = [] if framing.size is None else [transforms.Resize(framing.size, mode)]
    steps += [] if framing.crop is None else [transforms.CenterCrop(framing.crop)]
    wanted = [transforms.Compose([*steps, transforms.PILToTensor()])(pictures[place]) for place in (0, 2, 1, 3)]
    found = load(f"{kind}:{tmp_path}", "test", framing=framing)
    assert torch.equal(found.images, torch.stack(wanted))
    assert found.framed == found.subset([0]).framed == str(framing)


def test_pictures_of_another_size_name_the_way_out(tmp_path: Path) -> None:
    write(tmp_path, "val/ant/0.png")
    name = write(tmp_path, "val/cat/0.png", size=(7, 5))
    with pytest.raises(BadImages, match=r"cat/0.png is 5x7, but ant/0.png is 5x6.*--resize and --crop"):
        load(name, "test")
    with pytest.raises(BadImages, match=r"cat/0.png is 10x14, but ant/0.png is 10x12"):
        load(name, "test", framing=Framing(10))


def test_pictures_that_have_the_usual_size_are_left_alone(tmp_path: Path) -> None:
    name = write(tmp_path, "val/ant/0.png", "val/cat/0.png")
    for framing, framed in ((Framing(9, (5, 6), usual=True), False), (Framing(9, (5, 6)), True), (Framing(9, 5), True)):
        assert bool(load(name, "test", framing=framing).framed) == framed
    write(tmp_path, "val/cat/1.png", size=(7, 5))
    assert load(name, "test", framing=Framing(9, (5, 6), usual=True)).framed


def test_images_of_a_set_are_framed_where_somebody_asks() -> None:
    whole = load("made-up:3x12x12", "test")
    found = load("made-up:3x12x12", "test", framing=Framing(24, 20))
    assert (found.shape, found.framed) == (
        (3, 20, 20),
        "resized to shorter side 24 (bilinear), cropped to the middle 20 x 20",
    )
    assert torch.equal(found.images, framed_pixels(whole.images, Framing(24, 20)))
    assert load("made-up:1x12x12", "test", framing=Framing(8)).shape == (1, 8, 8)
    assert load("made-up:3x12x12", "test", framing=Framing(24, 20, usual=True)).framed == ""
    with pytest.raises(BadImages, match=r"1 channels of torch.float32 cannot be resized"):
        load("digits", "test", framing=Framing(8))


def test_a_framing_without_sides_is_refused() -> None:
    with pytest.raises(BadValue, match="crop = 0"):
        Framing(None, 0)
    with pytest.raises(BadValue, match=r"size = \(5, 0\), not 1 or more"):
        Framing((5, 0))
