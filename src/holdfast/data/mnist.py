"""MNIST (LeCun, Bottou, Bengio, Haffner, 1998) and Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017), in the idx files.

torchvision reads only unpacked files; a folder that cannot be written to often holds them packed, so a packed file is
unpacked to a temporary one.
"""

import gzip
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from holdfast.data.image_set import ImageSet
from holdfast.data.request import Request
from holdfast.errors import BadImages


def _packed(file: Path) -> Path:
    return file.with_name(f"{file.name}.gz")


def _idx(file: Path, reader: Callable[[str], Tensor]) -> Tensor:
    """Read one idx file, or the packed one beside it."""
    try:
        if file.exists():
            return reader(str(file))
        with gzip.open(_packed(file)) as packed, tempfile.NamedTemporaryFile() as unpacked:
            shutil.copyfileobj(packed, unpacked)
            unpacked.flush()
            return reader(unpacked.name)
    except (AssertionError, EOFError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError) as fault:
        raise BadImages(f"{file} cannot be read as an idx file of bytes: it is damaged or something else") from fault


def _read(request: Request, title: str, classes: tuple[str, ...] | None = None) -> ImageSet:
    """Read the two files of one split, fetching all four when they are missing and it is allowed."""
    from torchvision import datasets
    from torchvision.datasets.mnist import read_image_file, read_label_file

    official = getattr(datasets, title)
    raw = request.root / title / "raw"
    stem = raw / ("train" if request.train else "t10k")
    images, labels = Path(f"{stem}-images-idx3-ubyte"), Path(f"{stem}-labels-idx1-ubyte")
    if not all(file.exists() or _packed(file).exists() for file in (images, labels)):
        if not request.download:
            raise request.missing(raw)
        with request.reading(raw):
            official(request.root, download=True)
    names = classes or tuple(official.classes)
    return ImageSet(_idx(images, read_image_file)[:, None], _idx(labels, read_label_file), names)


def read_mnist(request: Request) -> ImageSet:
    """Return MNIST: digits of 28 x 28."""
    return _read(request, "MNIST", tuple("0123456789"))


def read_fashion(request: Request) -> ImageSet:
    """Return Fashion-MNIST: clothes of 28 x 28."""
    return _read(request, "FashionMNIST")
