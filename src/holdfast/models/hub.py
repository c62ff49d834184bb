"""Files of a repository on Hugging Face's hub: read from its cache, or from a folder, and fetched only when asked.

A repository is "ORG/NAME", or "ORG/NAME@REVISION" for another than its newest state. huggingface_hub comes with the
extras that need it, and is imported where it is used.
"""

from pathlib import Path

from holdfast.errors import MissingData, reason

FAULTS = (OSError, ValueError, RuntimeError)
"""What a missing network, a full disk or a name that is none raise."""


def hub_file(repository: str, *names: str, download: bool = False) -> Path:
    """Return the first of these files that a repository has; a folder on disk may stand for one.

    Raises:
        MissingData: it is not in the cache and is not to be downloaded, or could not be.
    """
    if Path(repository).is_dir():
        found = [path for name in names if (path := Path(repository) / name).is_file()]
        if not found:
            raise MissingData(f"{repository} holds no {' and no '.join(names)}")
        return found[0]
    from huggingface_hub import constants

    for name in names:
        if (kept := _cached(repository, name)) is not None:
            return kept
    if download:
        return _fetched(repository, *names)
    way = "download them with download=True (--download)"
    raise MissingData(f"no {' and no '.join(names)} of '{repository}' in {constants.HF_HUB_CACHE}; {way}")


def split_revision(repository: str) -> tuple[str, str | None]:
    """Return the name of a repository, or of a folder, and the revision that is asked for, if one is."""
    if Path(repository).is_dir():
        return repository, None
    name, _, revision = repository.partition("@")
    return name, revision or None


def _cached(repository: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    name, revision = split_revision(repository)
    try:
        found = try_to_load_from_cache(name, file, revision=revision)
    except FAULTS as fault:
        raise MissingData(f"'{repository}' is no repository of the hub: {reason(fault)}") from fault
    return Path(found) if isinstance(found, str) else None


def _fetched(repository: str, *names: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    name, revision = split_revision(repository)
    said = "nothing was asked for"
    for file in names:
        try:
            return Path(hf_hub_download(name, file, revision=revision))
        except EntryNotFoundError as fault:  # it may have the next
            said = reason(fault)
        except FAULTS as fault:
            raise MissingData(f"could not download {file} of '{repository}': {reason(fault)}") from fault
    raise MissingData(f"could not download {' nor '.join(names)} of '{repository}': {said}")
