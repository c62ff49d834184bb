"""holdfast train METHOD: train a network, with parts that options name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from holdfast.cli.compose import chosen_run, with_others
from holdfast.cli.parse import Flat, first_word, leading, parse
from holdfast.cli.parts import METHODS, RunParts, refuse_unnamed
from holdfast.cli.progress import Teller
from holdfast.devices import conditions, device_of, on_which
from holdfast.errors import UsageError, require
from holdfast.storage import record
from holdfast.training.loop import train
from holdfast.training.networks import read_run
from holdfast.training.run import Run, Start


@dataclass(frozen=True)
class Train:
    """Train a network; the same command again goes on where it stopped."""

    parts: Annotated[RunParts, Flat]
    run: Annotated[Run, Flat]
    folder: Path | None = None
    """Where the run is kept; runs/FINGERPRINT where none is given."""
    begin: Path | None = None
    """The folder of another run, beside this one's, at whose end this one begins."""
    takes: Literal["weights", "optimizer", "position"] = "weights"
    """What is taken over from it: with its weights what its optimizer keeps, with both its place in the schedule."""
    others: tuple[Path, ...] = ()
    """Folders of runs, beside this one's, that the method uses: EAT attacks their networks, Kurakin and
    UnifiedEmbedding save attacked images of them (cascade adversarial training)."""
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""
    data_root: Path | None = None
    """Where the data sets lie; $HOLDFAST_DATA, else ./data, where none is given."""
    download: bool = False
    """Fetch the data set if it is missing."""

    def __call__(self) -> int:
        """Train and say where the network is."""
        require(self.begin is not None or self.takes == "weights", f"--takes {self.takes} without --begin", UsageError)
        run = self.whole()
        folder = self.folder or Path("runs") / record.fingerprint(run)
        for other in filter(None, (self.begin, *self.others)):
            words = f"{other} does not lie beside {folder}, where the runs that a run names are looked for"
            require(other.resolve().parent == folder.resolve().parent, words, UsageError)
        with Teller() as tell:
            device = device_of(self.device)
            train(run, folder, device=device, data_root=self.data_root, download=self.download, tell=tell)
            tell(0, 1, on_which(conditions(device)))
        print(folder)
        return 0

    def whole(self) -> Run:
        """Return the run with those that it names."""
        run = with_others(self.run, [read_run(other) for other in self.others])
        return run if self.begin is None else replace(run, start=Start(read_run(self.begin), self.takes))


def run_train(args: Sequence[str]) -> int:
    """holdfast train METHOD [options]."""
    method, rest = first_word(args, "train METHOD", METHODS)
    refuse_unnamed(leading(rest), f"train {method}")
    return parse(Train, f"train {method}", rest, Train(RunParts(), chosen_run(method, rest)))()
