"""holdfast export NETWORK: write a network and its defences as one file that runs with torch alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from holdfast.cli.config import with_config
from holdfast.cli.out import check_out
from holdfast.cli.parse import Config, Flat, leading, parse
from holdfast.cli.resolve import Sources, resolved, tell_assumed
from holdfast.errors import UsageError, require
from holdfast.models.program import save_program
from holdfast.training.networks import ELSEWHERE

USAGE = f"give one network to holdfast export: a run's folder, a file of weights with --model, {ELSEWHERE}"


@dataclass(frozen=True)
class Export:
    """Write a network and its defences as one file, a program of torch.export, which needs torch alone."""

    given: Annotated[Sources, Flat] = field(default_factory=Sources)
    config: Config = None
    out: Path = Path("network.pt2")
    """The .pt2 file to write, which is not there yet."""

    def __call__(self, name: str) -> int:
        """Write, and say how the file is read."""
        check_out(self.out, ".pt2")
        network = resolved(self.given, [name])[0]
        tell_assumed([network])
        network = network.behind(self.given.defences)
        save_program(network.model, network.data.shape, self.out)
        size = "x".join(map(str, network.data.shape))
        print(
            f"{network.name}, for any number of images n x {size} in [0, 1], written to {self.out}: "
            f'torch.export.load("{self.out}").module() answers without holdfast'
        )
        return 0


def run_export(args: Sequence[str]) -> int:
    """holdfast export NETWORK [options]."""
    names, words = leading(args), with_config(args)
    options = parse(Export, "export NETWORK", words[len(names) :], Export())
    require(len(names) == 1, USAGE, UsageError)
    return options(names[0])
