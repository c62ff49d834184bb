"""Whether the files behind a source's name are still those that were read."""

from holdfast.data.request import expanded


def stamp(name: str) -> int:
    """Return a number that changes when a file of `npz:PATH` or `folder:PATH` is added, removed or written over."""
    path = expanded(name.partition(":")[2])
    if ":" not in name or not path.exists():
        return 0
    files = path.glob("*/*/*") if path.is_dir() else [path]
    return hash(frozenset((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files))
