"""Files in a zip, opened by their names in it, in any process."""

import os
import weakref
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from holdfast.errors import BadImages


class InZip:
    """What opens the files of a zip. Each process opens the zip itself: two that share a file share their place in it.

    Raises:
        BadImages: the zip cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    @property
    def names(self) -> list[str]:
        """The names of all files and folders in it."""
        return self.archive.namelist()

    def __call__(self, name: str) -> Any:
        """Open a file, which is IO[bytes] but for a few methods that typing asks for."""
        if self.process != os.getpid():
            self._open()
        return self.archive.open(name)

    def _open(self) -> None:
        self.archive, self.process = _opened(self.path), os.getpid()
        weakref.finalize(self, self.archive.close)

    def __reduce__(self) -> tuple[type["InZip"], tuple[Path]]:
        return InZip, (self.path,)


def _opened(path: Path) -> ZipFile:
    """Open a zip; whatever a broken one raises is one line."""
    try:
        return ZipFile(path)
    except OSError:
        raise
    except Exception as fault:  # a stranger's bytes raise BadZipFile, UnicodeDecodeError, struct.error, and others
        raise BadImages(f"{path} cannot be read as a .zip: {fault}") from fault
