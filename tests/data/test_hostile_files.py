"""A stranger's files: whatever they hold or claim, they are read as pictures and numbers, or are one line."""

import io
import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data import ImageSet, load
from holdfast.errors import BadImages, BadValue, HoldfastError, MissingData

FORMATS = ("BMP", "EPS", "GIF", "ICO", "PPM", "TGA", "TIFF", "WEBP")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return a folder of two classes, with one grey picture a class and split."""
    for split in ("train", "test"):
        for shade, name in ((50, "ant"), (150, "cat")):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("L", (6, 5), shade).save(tmp_path / split / name / "0.png")
    return tmp_path


def encoded(kind: str, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """Return a PNG of a few bytes that says it has `side` rows and columns."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_only_png_and_jpeg_are_decoded_whatever_the_name(
    kind: str, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ghostscript(*words: object, **options: object) -> None:
        raise AssertionError("another program was started")

    monkeypatch.setattr("subprocess.check_call", ghostscript)
    (pets / "test" / "cat" / "odd.png").write_bytes(encoded(kind))
    with pytest.raises(BadImages, match=r"test/cat/odd.png"):
        load(f"folder:{pets}", "test")


@pytest.mark.parametrize(("colours", "channels"), [(2, 3), (4, 2), (6, 4)], ids=["colour", "grey", "transparent"])
def test_channels_of_16_bits_are_refused_and_not_cut(colours: int, channels: int, pets: Path) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 5, 16, colours, 0, 0, 0))
    rows = zlib.compress((b"\0" + bytes(6 * channels * 2)) * 5)
    deep = pets / "test" / "cat" / "deep.png"
    deep.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    with pytest.raises(BadImages, match=r"deep\.png.* 16 bits"):
        load(f"folder:{pets}", "test")
    with Image.open(deep) as picture, pytest.raises(BadImages, match="16 bits"):
        ImageSet.of([(picture, 0)])


def test_pictures_of_16_bits_a_pixel_are_read() -> None:
    sizes = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0) + struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    magenta = struct.pack("<2sIHHI", b"BM", 74, 0, 0, 66) + sizes + struct.pack("<4H", *[0xF81F] * 4)
    with Image.open(io.BytesIO(magenta)) as picture:
        assert ImageSet.of([(picture, 0)]).pixels[0, :, 0, 0].tolist() == [255, 0, 255]


@pytest.mark.parametrize("side", [6_000, 12_000, 20_000, 100_000])
@pytest.mark.parametrize("first", [True, False])
def test_a_picture_that_claims_too_much_is_refused_by_its_header(side: int, first: bool, pets: Path) -> None:
    place = pets / "test" / ("ant" if first else "cat") / ("!.png" if first else "z.png")
    place.write_bytes(bomb(side))
    with pytest.raises(BadImages, match=place.name):
        load(f"folder:{pets}", "test")


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe", "link to nowhere", "folder"])
def test_what_is_no_regular_file_is_named_and_not_waited_for(kind: str, pets: Path) -> None:
    odd = pets / "test" / "cat" / "odd.png"
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "device":
        odd.symlink_to("/dev/zero")
    elif kind == "link to a pipe":
        os.mkfifo(pets / "pipe")
        odd.symlink_to(pets / "pipe")
    elif kind == "link to nowhere":
        odd.symlink_to(pets / "nowhere")
    else:
        odd.mkdir()
        assert len(load(f"folder:{pets}", "test")) == 2
        return
    with pytest.raises(BadImages, match=r"odd\.png"):
        load(f"folder:{pets}", "test")


def test_links_to_pictures_and_to_classes_are_followed(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "train").mkdir()
    (other / "test").symlink_to(pets / "test")
    (other / "train" / "ant").symlink_to(pets / "train" / "ant")
    (other / "train" / "cat").mkdir()
    (other / "train" / "cat" / "0.png").symlink_to(pets / "train" / "cat" / "0.png")
    for split in ("train", "test"):
        assert torch.equal(load(f"folder:{other}", split).images, load(f"folder:{pets}", split).images)


def test_files_that_are_not_read_are_counted(pets: Path, caplog: pytest.LogCaptureFixture) -> None:
    (pets / "test" / "cat" / "1.webp").write_bytes(encoded("WEBP"))
    (pets / "test" / "cat" / "2.bmp").write_bytes(encoded("BMP"))
    (pets / "test" / "cat" / "deeper").mkdir()
    (pets / "test" / "cat" / "deeper" / "0.png").write_bytes(encoded("PNG"))
    (pets / "test" / "cat" / ".hidden.txt").write_text("no picture")
    (pets / "test" / "notes.txt").write_text("no picture")
    with caplog.at_level(logging.WARNING, "holdfast"):
        load(f"folder:{pets}", "train")
        assert not caplog.records
        load(f"folder:{pets}", "test")
    said = caplog.records[0].getMessage()
    assert "4 files of test" in said
    assert all(f"1 {ending}" in said for ending in (".webp", ".bmp", ".png", ".txt"))


def test_classes_that_are_whole_numbers_count_up(tmp_path: Path) -> None:
    for label in range(12):
        place = tmp_path / "test" / str(label)
        place.mkdir(parents=True)
        Image.new("L", (2, 2), label).save(place / "0.png")
    found = load(f"folder:{tmp_path}", "test")
    assert found.classes == tuple(map(str, range(12)))
    assert found.images[:, 0, 0, 0].tolist() == [0, 1, 10, 11, *range(2, 10)]
    assert found.labels.tolist() == found.images[:, 0, 0, 0].tolist()
    (tmp_path / "test" / "0").rename(tmp_path / "test" / "none")
    assert load(f"folder:{tmp_path}", "test").classes == tuple(sorted([*map(str, range(1, 12)), "none"]))


def test_both_splits_and_every_part_of_them_have_the_same_channels(pets: Path) -> None:
    Image.new("RGB", (6, 5)).save(pets / "train" / "cat" / "coloured.png")
    assert load(f"folder:{pets}", "train").shape == load(f"folder:{pets}", "test").shape == (3, 5, 6)
    assert load(f"folder:{pets}", "test", limit=1).shape == (3, 5, 6)
    (pets / "train" / "cat" / "coloured.png").write_bytes(b"no picture at all")
    assert load(f"folder:{pets}", "test").shape == (1, 5, 6)


def test_names_that_are_not_utf8_become_printable(pets: Path) -> None:
    os.rename(os.fsencode(pets / "test" / "cat"), os.fsencode(pets / "test") + b"/c\xff\n")
    assert load(f"folder:{pets}", "test").classes == ("ant", "cat", r"c\xff\n")


def as_zip(pets: Path, **options: int) -> Path:
    path = pets / "pets.zip"
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[call-overload]
        for file in sorted(pets.rglob("*.png")):
            archive.write(file, file.relative_to(pets).as_posix())
    return path


def stamped(path: Path, local: int, central: int, value: int) -> None:
    """Change one byte of every local and central header of a zip."""
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = data.find(magic)
        while at >= 0:
            data[at + offset] = value
            at = data.find(magic, at + 4)
    path.write_bytes(data)


def encrypted(path: Path) -> None:
    stamped(path, 6, 8, 1)


def of_unknown_compression(path: Path) -> None:
    stamped(path, 8, 10, 99)


def without_its_end(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + data[-40:])


def with_half_a_directory(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    data[at + 16 : at + 20] = struct.pack("<I", 7)
    path.write_bytes(data)


BREAKERS = (encrypted, of_unknown_compression, without_its_end, with_half_a_directory)


@pytest.mark.parametrize("change", BREAKERS, ids=lambda change: change.__name__)
def test_a_zip_that_cannot_be_read_is_one_line(change: Callable[[Path], None], pets: Path) -> None:
    path = as_zip(pets)
    change(path)
    with pytest.raises((BadImages, MissingData)) as caught:
        load(f"folder:{path}", "test")
    assert "\n" not in str(caught.value)


def arrays() -> dict[str, np.ndarray]:
    return {"test_images": np.zeros((4, 5, 6), np.uint8), "test_labels": np.arange(4)}


@pytest.mark.parametrize("change", BREAKERS, ids=lambda change: change.__name__)
def test_an_npz_that_cannot_be_read_is_one_line_that_names_it(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez_compressed(path, **arrays())
    change(path)
    with pytest.raises(HoldfastError, match=r"own\.npz") as caught:
        load(f"npz:{path}", "test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    ["(1099511627776, 8, 8), }", "(4, 8, 8), }", "(4, 8", "(-4, 8, 8), }", "(4, 8, 8), 'x': 1}", "'\\d'}"],
)
def test_an_array_whose_header_lies_is_one_line_that_names_the_file(said: str, tmp_path: Path) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {said}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    labels = io.BytesIO()
    np.save(labels, np.arange(4))
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)
        archive.writestr("test_images.npy", content)
        archive.writestr("test_labels.npy", labels.getvalue())
    with pytest.raises(HoldfastError, match=r"own\.npz"):
        load(f"npz:{tmp_path / 'own.npz'}", "test")


def test_names_of_classes_are_one_line_of_text_each(tmp_path: Path) -> None:
    for names in ([b"a\xff", b"b", b"c", b"d"], ["a\0b", "b\nc", "\ud800", "d"]):
        np.savez(tmp_path / "own.npz", **arrays(), classes=np.array(names))
        found = load(f"npz:{tmp_path / 'own.npz'}", "test").classes
        assert all(name.isprintable() and name.encode() for name in found)
        assert len(set(found)) == 4


@pytest.mark.parametrize("name", ["npz:~nobody-here/x.npz", "folder:~nobody-here"])
def test_a_home_of_nobody_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingData, match="~nobody-here"):
        load(name, "test")
    monkeypatch.setenv("HOLDFAST_DATA", "~nobody-here")
    with pytest.raises(MissingData, match="~nobody-here"):
        load("mnist", "test")
    with pytest.raises(MissingData, match="~nobody-too"):
        load("mnist", "test", root="~nobody-too/x")


@pytest.mark.parametrize("name", ["1x100000x100000", "1x8x8:99999999", f"1x8x8:{'9' * 5000}", "999999999x1x1"])
def test_made_up_images_too_large_to_make_are_refused(name: str) -> None:
    with pytest.raises(BadValue, match="made-up"):
        load(f"made-up:{name}", "test")
