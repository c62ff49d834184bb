"""holdfast train METHOD: train a network, with parts that options name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Literal

import tyro
from torch import nn

from holdfast.cli.compose import chosen_run, with_parts
from holdfast.cli.config import run_in_config, with_config
from holdfast.cli.parse import Flat, first_word, leading, parse
from holdfast.cli.parts import METHODS, RunParts, named_parts, refuse_unnamed
from holdfast.cli.progress import Teller
from holdfast.cli.seeds import beside, check_seeds, on_average
from holdfast.cli.tested import behind, can_be_tested, tested
from holdfast.data import ImageSet, load
from holdfast.data.image_set import centered
from holdfast.devices import conditions, device_of, on_which
from holdfast.errors import UsageError, require
from holdfast.evaluation import Cell, outcomes
from holdfast.loggers import logger
from holdfast.metrics import accuracy
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.folder import read_run
from holdfast.training.loop import train
from holdfast.training.run import Run, Start

CONFIG = (
    "A JSON file of options; or, instead of a method, the run.json of a run to repeat. Options on the command line "
    "override those in the file."
)
CLEAN = Cell("", "", None)
"""The one network, on images as they are."""


@dataclass(frozen=True)
class Train:
    """Train a network; the same command again continues an interrupted run."""

    parts: Annotated[RunParts, Flat]
    run: Annotated[Run, Flat]
    config: Annotated[Path | None, tyro.conf.arg(help=CONFIG)] = None
    folder: Path | None = None
    """The folder of the run (default: runs/FINGERPRINT)."""
    begin: Path | None = None
    """The folder of a finished run to start from, in the same folder as this one's."""
    takes: Literal["weights", "optimizer", "position"] = "weights"
    """What to copy from it: weights; optimizer (weights and optimizer state); or position (both, and continue its
    learning-rate schedule)."""
    others: tuple[Path, ...] = ()
    """Folders of finished runs that the method uses, in the same folder as this one's: EAT attacks their networks,
    StaticAT that of one of them, AGKDBML learns from one, Pix2Pix, NRP and Denoiser purify images for one, Kurakin and
    UnifiedEmbedding train on attacked images of them (cascade adversarial training)."""
    seeds: tuple[int, ...] = ()
    """Train once with each of these seeds, into FOLDER-seed-N, and print the test accuracies with their mean and
    standard deviation; of a purifier, those of the classifier that it uses, behind it."""
    log: tuple[str, ...] = ()
    """Where the numbers of each epoch go besides metrics.jsonl: tensorboard, wandb:PROJECT, mlflow:URI."""
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""
    data_root: Path | None = None
    """The folder of the data sets (default: $HOLDFAST_DATA, else ./data)."""
    download: bool = False
    """Download the data set if it is missing."""
    workers: int = 0
    """How many processes decode and vary images that do not fit into memory, while the network trains. The result is
    the same for any number."""

    def __call__(self) -> int:
        """Train and print the folder; of several seeds also the test accuracies."""
        require(
            self.begin is not None or self.takes == "weights", f"--takes {self.takes} needs --begin FOLDER", UsageError
        )
        run, device, log = self.whole(), device_of(self.device), [logger(words) for words in self.log]
        runs = {self.folder_of(each): each for each in [replace(run, seed=seed) for seed in self.seeds] or [run]}
        self.check_beside(next(iter(runs)))
        test_set = self.test_images(run).to(device) if self.seeds and can_be_tested(run) else None
        carried_out = partial(train, device=device, download=self.download, log=log, workers=self.workers)
        shares = []
        with Teller() as tell:
            for folder, each in runs.items():
                model = carried_out(each, folder, data_root=self.data_root, tell=tell)
                shares += [] if test_set is None else [tested_on(test_set, each, model, folder)]
            tell(0, 1, on_which(conditions(device)))
        for folder, share in zip_longest(runs, shares):
            print(folder if share is None else f"{folder}: accuracy {share:.2%}")
        if test_set is not None:
            print(f"{run.data}, test, {len(test_set)} images{behind(run)}: {on_average(shares, self.seeds)}")
        return 0

    def check_beside(self, folder: Path) -> None:
        """Refuse folders of other runs that do not lie beside the run's own."""
        for other in filter(None, (self.begin, *self.others)):
            words = f"{other} is not in {folder.parent}: a run and the runs that it uses need one parent folder"
            require(other.resolve().parent == folder.resolve().parent, words, UsageError)

    def folder_of(self, run: Run) -> Path:
        """Return where one of the runs is kept."""
        if self.folder is None:
            return Path("runs") / fingerprint(run)
        return beside(self.folder, run.seed) if self.seeds else self.folder

    def test_images(self, run: Run) -> ImageSet:
        """Return the test images as the run's network sees them."""
        whole = load(run.data, "test", root=self.data_root, download=self.download)
        return whole if run.augment is None else centered(whole, run.augment)

    def whole(self) -> Run:
        """Return the run with those that it names."""
        others = tuple(read_run(other) for other in self.others)
        run = replace(self.run, method=self.run.method.using(others)) if others else self.run
        return run if self.begin is None else replace(run, start=Start(read_run(self.begin), self.takes))


def tested_on(images: ImageSet, run: Run, model: nn.Module, folder: Path) -> float:
    """Return the test accuracy of a finished run, or of the classifier behind its purifier."""
    return accuracy(outcomes(CLEAN, {"": tested(run, model, folder.parent, images.shape, len(images.classes))}, images))


def run_train(args: Sequence[str]) -> int:
    """holdfast train METHOD [options], or holdfast train --config FOLDER/run.json [options]."""
    repeated = run_in_config(args)
    if repeated is not None and not leading(args):
        named, words, run = "", args, with_parts(repeated, named_parts(args))
    else:
        named, rest = first_word(args, "train METHOD", METHODS)
        refuse_unnamed(leading(rest), f"train {named}")
        words = with_config(rest)
        run = chosen_run(named, words)
    options = parse(Train, f"train {named}", words, Train(RunParts(), run))
    check_seeds(options.seeds, words)
    return options()
