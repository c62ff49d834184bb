"""holdfast purify: images in, images out of the same kind, and nothing of what was there is touched."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.saying import said


def pictures(folder: Path, names: tuple[str, ...], mode: str = "RGB") -> None:
    draw = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        size = (6, 7, 3) if mode == "RGB" else (6, 7)
        Image.fromarray(draw.integers(0, 256, size, np.uint8)).save(folder / name, format="PNG")


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_folder_of_pictures_keeps_its_places(mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a.png", "inside/b.png")
    pictures(tmp_path / "given", names, mode)
    before = {name: (tmp_path / "given" / name).read_bytes() for name in names}
    status, out, _ = said(capsys, "purify", "BitDepth:bits=1", str(tmp_path / "given"))
    assert status == 0
    assert "2 images" in out
    assert {name: (tmp_path / "given" / name).read_bytes() for name in names} == before
    for name in names:
        given = np.asarray(Image.open(tmp_path / "given" / name))
        purified = np.asarray(Image.open(tmp_path / "given-purified" / name))
        assert np.array_equal(purified, np.where(given >= 128, 255, 0))
    status, _, err = said(capsys, "purify", "BitDepth:bits=1", str(tmp_path / "given"))
    assert status == 2
    assert "given-purified is there already" in err


@pytest.mark.parametrize(
    ("folder", "typed", "out"),
    [("here", ".", "here"), ("pics.v2", "../pics.v2", "pics-v2"), (".mine", "../.mine", ".mine")],
)
def test_a_folder_is_purified_beside_itself(
    folder: str,
    typed: str,
    out: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures(tmp_path / folder, ("a.png",))
    monkeypatch.chdir(tmp_path / folder)
    status, _, err = said(capsys, "purify", "BitDepth:bits=1", typed)
    assert status == 0, err
    assert (tmp_path / f"{out}-purified" / "a.png").is_file()


@pytest.mark.parametrize(
    ("name", "shape"), [("images", (5, 3, 4, 6)), ("test_images", (5, 6, 4, 3)), ("images", (5, 4, 6))]
)
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_file_of_arrays_keeps_its_form_and_its_other_arrays(
    name: str, shape: tuple[int, ...], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    given = draw.integers(0, 256, shape, np.uint8) if kind == "uint8" else draw.random(shape, np.float32)
    labels = np.arange(5)
    np.savez(tmp_path / "given.npz", **{name: given, "labels": labels})
    words = ("purify", "BitDepth:bits=1", str(tmp_path / "given.npz"), "--out", str(tmp_path / "out.npz"))
    assert said(capsys, *words, "--batch", "2")[0] == 0
    with np.load(tmp_path / "out.npz") as found:
        assert set(found.files) == {name, "labels"}
        assert found[name].dtype == given.dtype
        top = 255 if kind == "uint8" else 1
        assert np.array_equal(found[name], np.where(given > top / 2, top, 0).astype(given.dtype))
        assert np.array_equal(found["labels"], labels)


def test_what_is_drawn_follows_from_the_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path / "given", ("a.png",))
    for out, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert (
            said(capsys, "purify", "Noise", str(tmp_path / "given"), "--out", str(tmp_path / out), "--seed", str(seed))[
                0
            ]
            == 0
        )
    one, two, three = ((tmp_path / out / "a.png").read_bytes() for out in ("one", "two", "three"))
    assert one == two != three


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: pictures(folder, ("a.png", "b/a.PNG", "a.jpg")), "a.png"),
        (lambda folder: (folder.mkdir(), (folder / "a.txt").write_text("x")), "holds no pictures"),
        (lambda folder: (folder.mkdir(), (folder / "a.png").write_text("x")), "a.png cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_purified_is_one_line(
    make: object, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "given")  # type: ignore[operator]
    status, _, err = said(capsys, "purify", "BitDepth", str(tmp_path / "given"))
    assert status == 2
    assert words in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given"]


@pytest.mark.parametrize("defence", ["SAP", "SAP:share=2.0"])
def test_a_defence_that_works_inside_a_network_is_refused(
    defence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "given", ("a.png",))
    status, _, err = said(capsys, "purify", defence, tmp_path / "given")
    assert (status, err.count("\n")) == (2, 1)
    assert f"--defence {defence}" in err
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pictures": np.zeros((2, 3, 4, 4))}, "no array called images"),
        ({"images": np.full((2, 3, 4, 4), 2.0)}, "outside [0, 1]"),
        ({"images": np.full((2, 3, 4, 4), np.nan)}, "outside [0, 1]"),
    ],
)
def test_an_array_that_cannot_be_purified_is_one_line(
    arrays: dict[str, np.ndarray], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "given.npz", **arrays)
    status, _, err = said(capsys, "purify", "BitDepth", str(tmp_path / "given.npz"))
    assert status == 2
    assert words in err
