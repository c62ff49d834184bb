"""What the system says of a file that cannot be written, in one line that names the file."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import NotWritten

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def naming(path: Path, *others: Path) -> Iterator[None]:
    """Turn what the system says about writing `path` into one line that names it; `others` are written on its way."""
    try:
        yield
    except OSError as fault:
        ours = fault.filename is None or str(fault.filename) in map(str, (path, *path.parents, *others))
        if not ours or fault.errno is None or isinstance(fault, ConnectionError):
            raise
        remedy = ": free some space and call again; what is finished stays" if fault.errno in FULL else ""
        raise NotWritten(f"{path} cannot be written ({fault.strerror}){remedy}") from fault
