"""Files made by hand to break what reads them, and the good ones that they are made of."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Made:
    """A data set made by hand."""

    of: str
    make: Callable[[Path], str]
    """Given a folder, it writes the files and returns the data set's name."""
    read: bool | None = False
    """Whether it is to be read, not refused; nothing where either will do, as Pillow sees what is missing as black."""


def picture(kind: str = "PNG", mode: str = "L", size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    """Return a picture as bytes."""
    buffer = io.BytesIO()
    Image.new(mode, size, 120 if len(mode) == 1 else None).save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def folder_of(root: Path) -> Path:
    """Write a good folder of ten classes."""
    for label in range(10):
        place = root / "test" / f"c{label}"
        place.mkdir(parents=True)
        (place / "0.png").write_bytes(picture())
    return root


def zipped(root: Path, path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip of a folder."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(root.rglob("*.*")):
            archive.write(file, file.relative_to(root).as_posix())
    return path


def arrays(path: Path, packed: bool = True, **changed: object) -> Path:
    """Write a good npz file, but for what is changed."""
    good = {"test_images": np.full((20, 8, 8), 120, np.uint8), "test_labels": np.arange(20) % 10}
    (np.savez_compressed if packed else np.savez)(path, **(good | changed))  # type: ignore[operator]
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, *more: bytes, data: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    """Return a PNG that says of itself what it likes."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def odd(content: bytes, name: str = "odd.png", read: bool | None = False) -> Made:
    """Return a good folder with one odd file."""

    def make(place: Path) -> str:
        root = folder_of(place / "pictures")
        (root / "test" / "c3" / name).write_bytes(content)
        return f"folder:{root}"

    return Made("pictures", make, read)


def changed(change: Callable[[Path], object], read: bool = False) -> Made:
    """Return a good folder in which something was done to class c3."""

    def make(place: Path) -> str:
        root = folder_of(place / "pictures")
        change(root / "test" / "c3")
        return f"folder:{root}"

    return Made("folders", make, read)


def zip_with(change: Callable[[Path], object], read: bool = False) -> Made:
    """Return a zip of a good folder that something was done to."""

    def make(place: Path) -> str:
        path = zipped(folder_of(place / "pictures"), place / "pictures.zip")
        change(path)
        return f"folder:{path}"

    return Made("zips", make, read)


def npz(read: bool = False, change: Callable[[Path], object] = lambda path: None, **arrays_: object) -> Made:
    """Return an npz file with other arrays, or that something was done to."""

    def make(place: Path) -> str:
        path = arrays(place / "own.npz", **arrays_)
        change(path)
        return f"npz:{path}"

    return Made("arrays", make, read)


def stamped(local: int, central: int, value: int) -> Callable[[Path], None]:
    """Return what changes one byte of all headers of a zip."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        for magic, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
            at = data.find(magic)
            while at >= 0:
                data[at + offset] = value
                at = data.find(magic, at + 4)
        path.write_bytes(data)

    return change


def added(name: str, content: bytes) -> Callable[[Path], None]:
    """Return what adds a file to a zip."""

    def change(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, content)

    return change


def lying(said: str, more: bytes = bytes(64)) -> Callable[[Path], None]:
    """Return what writes an npz whose images say something of themselves."""

    def change(path: Path) -> None:
        header = f"{{'descr': {said}".encode()
        header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
        labels = io.BytesIO()
        np.save(labels, np.arange(20) % 10)
        with zipfile.ZipFile(path, "w") as archive:
            content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + more
            archive.writestr("test_images.npy", content)
            archive.writestr("test_labels.npy", labels.getvalue())

    return change


def cut(share: float, end: int = 0) -> Callable[[Path], None]:
    """Return what cuts a file; its last bytes may stay."""

    def change(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))] + (data[-end:] if end else b""))

    return change


def linked(target: str) -> Callable[[Path], None]:
    """Return what puts a link among the pictures."""
    return lambda place: (place / "odd.png").symlink_to(target)


def renamed(name: bytes) -> Callable[[Path], None]:
    """Return what gives the class another name."""
    return lambda place: os.rename(os.fsencode(place), os.fsencode(place.parent) + b"/" + name)


NAMES = [f"n{label}" for label in range(10)]
TEXT = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))
HAND_MADE: dict[str, Made] = {
    "a good folder": changed(lambda place: None, read=True),
    "a good zip": zip_with(lambda path: None, read=True),
    "a good npz": npz(read=True),
    **{
        f"{kind} called .png": odd(picture(kind, "RGB"))
        for kind in ("EPS", "BMP", "GIF", "ICO", "PPM", "TGA", "TIFF", "WEBP")
    },
    **{
        f"{kind} of another ending": odd(picture(kind, "RGB"), f"odd.{kind.lower()}", True)
        for kind in ("BMP", "WEBP", "TIFF")
    },
    **{f"a PNG of {side} x {side} pixels": odd(png(side)) for side in (6_000, 12_000, 20_000, 100_000, 2**31 - 1)},
    "a PNG of no pixels": odd(png(0)),
    "a PNG of 16 bits": odd(picture(mode="I;16")),
    "a PNG with too little data": odd(png(8, data=bytes(9)), read=None),
    "a PNG of unknown depth": odd(png(8, depth=77)),
    "a PNG of unknown colours": odd(png(8, colour=77)),
    "a PNG with a bomb of text": odd(png(8, TEXT, data=bytes(72))),
    "a PNG with a wrong chunk": odd(png(8, b"\xff\xff\xff\xffabcd", data=bytes(72))),
    "a PNG of a palette that is missing": odd(png(8, data=bytes(72), colour=3), read=None),
    "a PNG with noise behind it": odd(picture() + bytes(1000), read=True),
    "a PNG called .jpg": odd(picture(), "odd.jpg", True),
    "an animated PNG": odd(picture(save_all=True, append_images=[Image.new("L", (8, 8))]), read=True),
    "a JPEG that ends early": odd(picture("JPEG")[:200], "odd.jpg"),
    "a JPEG of CMYK": odd(picture("JPEG", "CMYK"), "odd.jpg", True),
    "an empty picture": odd(b""),
    "text": odd(b"no picture\n" * 50),
    "one of another size": odd(picture(size=(9, 8))),
    "a zip called .png": odd(b"PK\x03\x04" + bytes(100)),
    "a name of 250 letters": odd(picture(), "x" * 246 + ".png", True),
    "a name of two lines": odd(b"no picture", "a\nb.png"),
    "a pipe": changed(lambda place: os.mkfifo(place / "odd.png")),
    "a link to /dev/zero": changed(linked("/dev/zero")),
    "a link to /dev/stdin": changed(linked("/dev/stdin")),
    "a link to nowhere": changed(linked("nowhere")),
    "a link to itself": changed(linked("odd.png")),
    "a link to a folder above": changed(linked("../.."), read=True),
    "a folder called .png": changed(lambda place: (place / "odd.png").mkdir(), read=True),
    "a class that is not UTF-8": changed(renamed(b"c\xff\xfe"), read=True),
    "a class of two lines": changed(renamed(b"a\nb"), read=True),
    "a class of 250 letters": changed(renamed(b"x" * 250), read=True),
    "a class of dots": changed(renamed(b"...")),
    "a class without pictures": changed(lambda place: (place / "0.png").unlink()),
    "an encrypted zip": zip_with(stamped(6, 8, 1)),
    "a zip of unknown compression": zip_with(stamped(8, 10, 99)),
    "a zip of wrong versions": zip_with(stamped(4, 6, 255)),
    "a zip cut in half": zip_with(cut(0.5)),
    "a zip without its middle": zip_with(cut(0.4, end=60)),
    "a zip that leads outside": zip_with(added("../../test/c1/up.png", picture()), read=True),
    "a zip with a path from the root": zip_with(added("/test/c1/up.png", picture()), read=True),
    "a zip of a bomb": zip_with(added("test/c1/up.png", bytes(300_000_000))),
    "a zip of two files of one name": zip_with(added("test/c1/0.png", picture()), read=True),
    "a zip with NUL in a name": zip_with(added("test/c1/a\0b.png", picture()), read=True),
    "a zip with a name of 60,000 letters": zip_with(added(f"test/{'x' * 60_000}/0.png", picture())),
    "an encrypted npz": npz(change=stamped(6, 8, 1)),
    "an npz of unknown compression": npz(change=stamped(8, 10, 99)),
    "an npz cut in half": npz(change=cut(0.5)),
    "an npz without its middle": npz(change=cut(0.4, end=60)),
    "an npz of 1 TiB": npz(change=lying("'<f4', 'fortran_order': False, 'shape': (4294967296, 8, 8), }")),
    "an npz whose header ends early": npz(change=lying("'<f4', 'fortran_order': False, 'shape': (20")),
    "an npz whose data ends early": npz(change=lying("'<f4', 'fortran_order': False, 'shape': (20, 8, 8), }")),
    "an npz of negative size": npz(change=lying("'<f4', 'fortran_order': False, 'shape': (-20, 8, 8), }")),
    "an npz of objects": npz(change=lying("'|O', 'fortran_order': False, 'shape': (20, 8, 8), }")),
    "an npz whose header is code": npz(change=lying("__import__('os').system('touch started')")),
    "an npz of nested brackets": npz(change=lying("(" * 5000)),
    "an npz that is a pickle": npz(change=lambda path: path.write_bytes(b"cos\nsystem\n(S'touch started'\ntR.")),
    "an npz that is a folder": npz(change=lambda path: (path.unlink(), path.mkdir())),
    "an npz that is a pipe": npz(change=lambda path: (path.unlink(), os.mkfifo(path))),
    "images that are NaN": npz(test_images=np.full((20, 8, 8), np.nan, np.float32)),
    "images that are infinite": npz(test_images=np.full((20, 8, 8), np.inf, np.float32)),
    "images of complex numbers": npz(test_images=np.ones((20, 8, 8), np.complex64)),
    "images without rows": npz(test_images=np.zeros((20, 1, 0, 8), np.uint8)),
    "labels of the highest number": npz(test_labels=np.full(20, 2**64 - 1, np.uint64)),
    "labels of none": npz(test_labels=np.arange(0)),
    "classes of NUL": npz(True, classes=np.array(["a\0b", *NAMES[1:]])),
    "classes of half letters": npz(True, classes=np.array(["\ud800", *NAMES[1:]])),
    "classes of bytes": npz(True, classes=np.array([b"\xff", *(name.encode() for name in NAMES[1:])])),
    "classes of two lines": npz(True, classes=np.array(["a\nb", *NAMES[1:]])),
    "classes of objects": npz(classes=np.array(NAMES, object)),
    "classes of numbers": npz(True, classes=np.arange(10)),
}
