"""What only some of the work needs, and is installed with an extra of the distribution: `holdfast-robust[report]`."""

from collections.abc import Mapping
from importlib.util import find_spec

from holdfast.errors import MissingExtra

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "report": ("matplotlib", "jinja2"),
    "analysis": ("sklearn",),
    "timm": ("timm",),
}
"""The packages of each extra, by the names that they are imported by."""


def need(*extras: str) -> None:
    """Refuse to begin what needs these extras where one of them is not installed.

    Raises:
        MissingExtra: its line is the command that installs it.
    """
    for extra in extras:
        missing = [package for package in EXTRAS[extra] if find_spec(package) is None]
        if missing:
            raise MissingExtra(f"the extra '{extra}' ({', '.join(missing)}) is not installed: {remedy(extra)}")


def have(extra: str) -> bool:
    """Say whether an extra is installed."""
    return all(find_spec(package) is not None for package in EXTRAS[extra])


def remedy(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'holdfast-robust[{extra}]'"
