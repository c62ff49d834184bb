"""holdfast list: attacks, defences, methods, models, data and papers, a line each."""

from collections.abc import Mapping, Sequence

from holdfast.cli.papers import known_papers
from holdfast.cli.parts import ATTACKS, METHODS
from holdfast.data import SOURCES
from holdfast.defences import DEFENCES
from holdfast.errors import UnknownName, UsageError, require
from holdfast.models import ARCHITECTURES


def listed() -> Mapping[str, Mapping[str, str]]:
    """Return what can be listed: a line by each name, by the kind of thing."""
    return {
        "attacks": {name: _line(kind) for name, kind in ATTACKS.items()},
        "defences": {name: _line(kind) for name, kind in DEFENCES.items()},
        "methods": {name: _line(kind) for name, kind in METHODS.items()},
        "models": {name: architecture.summary for name, architecture in ARCHITECTURES.items()},
        "data": SOURCES,
        "papers": known_papers(),
    }


def run_list(args: Sequence[str]) -> int:
    """holdfast list [attacks | defences | methods | models | data | papers]."""
    kinds = listed()
    if args and args[0] in ("-h", "--help"):
        print(f"usage: holdfast list [{' | '.join(kinds)}]")
        return 0
    require(len(args) <= 1, f"holdfast list takes one kind, not {len(args)}: {', '.join(kinds)}", UsageError)
    if args and args[0] not in kinds:
        raise UnknownName("list", args[0], kinds)
    for kind in args[:1] or kinds:
        print(f"{kind}:")
        for name, line in kinds[kind].items():
            print(f"  {name:<20} {line}")
    return 0


def _line(kind: object) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
