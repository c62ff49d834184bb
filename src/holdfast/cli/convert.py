"""holdfast convert NETWORK: write the network in a file that somebody saved as safetensors that say all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from holdfast.cli.config import with_config
from holdfast.cli.out import check_out
from holdfast.cli.parse import Config, Flat, leading, parse
from holdfast.cli.saved import Saved, from_weights
from holdfast.data import load
from holdfast.data.request import expanded
from holdfast.errors import UsageError, require
from holdfast.models import Undecided
from holdfast.models.converted import write_converted
from holdfast.models.foreign_network import Loaded
from holdfast.training.weight_files import name_in, of_file, weights_alone

USAGE = (
    "usage: holdfast convert FILE --model NAME --out FILE.safetensors [options]; FILE holds the weights of a network"
)


@dataclass(frozen=True)
class Convert:
    """Write the network in a file that somebody saved as safetensors, which `holdfast audit` reads by itself."""

    saved: Annotated[Saved, Flat] = field(default_factory=Saved)
    config: Config = None
    out: Path | None = None
    """The .safetensors file to write, which is not there yet (default: FILE with this ending)."""
    shape: tuple[int, int, int] = (3, 32, 32)
    """Channels, rows and columns of an image."""
    classes: int = 10
    data: str | None = None
    """A data set on which what the file leaves open is tried out; shape and classes are its own then."""
    data_root: Path | None = None
    """The folder of the data sets (default: $HOLDFAST_DATA, else ./data)."""

    def __call__(self, path: Path) -> int:
        """Read, write, and say how it was read."""
        out = self.out or path.with_suffix(".safetensors")
        require(out.resolve() != path.resolve(), f"{out} is the file itself: give --out another path", UsageError)
        check_out(out, ".safetensors")
        found, name = self.read(path), self.saved.model or name_in(path)
        assert name is not None
        write_converted(out, found.model, name, found.options)
        print("\n".join((*found.notes, f"written to {out}: {name}{_how(name, found.options)}")))
        return 0

    def read(self, path: Path) -> Loaded:
        """Return the network in the file."""
        said = self.saved.of([str(path)])
        if self.data is not None:
            return from_weights(path, self.saved.model, load(self.data, "test", root=self.data_root), said)
        try:
            return of_file(path, self.saved.model, self.shape, self.classes, said)
        except Undecided as left:
            words = f"{left}: say it with --option WORD=VALUE, or try it out with --data NAME"
            raise UsageError(words) from left


def _how(name: str, options: Mapping[str, object]) -> str:
    """Say what the file needs beside its name when it is read: that of a Python file, which it may not have run."""
    if ".py:" not in name:
        return ", which the file says itself"
    words = " ".join(f"{word}={value}" for word, value in options.items())
    return f"; read it with --model {name}" + (f" --option {words}" if words else "")


def run_convert(args: Sequence[str]) -> int:
    """holdfast convert FILE [options]."""
    names, words = leading(args), with_config(args)
    options = parse(Convert, "convert FILE", words[len(names) :], Convert())
    require(len(names) == 1 and weights_alone(names[0]), USAGE, UsageError)
    return options(expanded(names[0]))
