"""What a file is, told by its first bytes: names and endings say little of files that were sent around."""

import os
import tarfile
import zipfile
from pathlib import Path

from holdfast.errors import BadRecord, require

SAFETENSORS, ZIP, LEGACY = "safetensors", "a zip of torch.save", "a pickle of torch.save before 1.6"
READ = (SAFETENSORS, ZIP, LEGACY)
"""The kinds that can hold weights and are read."""
_MAGIC = {
    b"\x93NUMPY": "a numpy array: weights are expected with their names",
    b"\x89HDF": "an HDF5 file, as Keras writes: save the weights with torch.save",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: fetch it with git lfs pull",
}


def kind_of(path: Path) -> str:
    """Return which of `READ` a file is.

    Raises:
        BadRecord: it is none of them; the line says what it is instead.
    """
    require(os.path.lexists(path), f"{path} is missing: give the path of a file of weights", BadRecord)
    require(path.is_file(), f"{path} is no regular file: give the path of a file of weights", BadRecord)
    with path.open("rb") as file:
        first = file.read(512)
    require(bool(first), f"{path} is empty", BadRecord)
    for magic, words in _MAGIC.items():
        require(not first.startswith(magic), f"{path} is {words}", BadRecord)
    web = first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    require(not web, f"{path} is a web page, not a file of weights: download it again, with a browser", BadRecord)
    if first.startswith(b"PK"):
        return _zip(path)
    require(not _is_tar(path), f"{path} is a tar archive: unpack it first", BadRecord)
    if first[:1] == b"\x80":
        return LEGACY
    words = f"{path} is no file of weights that holdfast knows: neither safetensors nor of torch.save"
    require(first[8:9] == b"{" or path.suffix == ".safetensors", words, BadRecord)
    return SAFETENSORS


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError) as fault:
        raise BadRecord(f"{path} is cut short or damaged: download it again") from fault
    numpy = all(name.endswith(".npy") for name in names)
    require(not numpy, f"{path} holds numpy arrays (.npz): images go to --data npz:{path}", BadRecord)
    program = "constants.pkl" in names
    require(not program, f"{path} is a TorchScript program: save the weights of the network instead", BadRecord)
    words = f"{path} is a zip archive that torch.save did not write: unpack it first"
    require("data.pkl" in names, words, BadRecord)
    return ZIP


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except OSError:
        return False
