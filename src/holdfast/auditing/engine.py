"""One attack after another, each on images that still stand, every break verified; what was stopped goes on.

A chooser says which attack has the next turn, on which images, from what all turns before have found. Several processes
share the batches of each turn and join what they found, so that they find what one would.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from holdfast.attacks import Attack
from holdfast.attacks.attack import with_seed
from holdfast.attacks.inputs import check
from holdfast.auditing.distributed import Before, check_same_checkpoint, merge, rank_and_count
from holdfast.auditing.engine_state import STANDS, Progress, begin, read, write
from holdfast.auditing.ledger import Turn
from holdfast.auditing.looks import looked, reseeded
from holdfast.auditing.nearness import slope
from holdfast.auditing.report import Stage
from holdfast.data import StoredImages
from holdfast.devices import exact_products
from holdfast.errors import NoGradient, UsageError, require
from holdfast.metrics import share_of
from holdfast.passes import counting
from holdfast.rng import fresh
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.fingerprint import fingerprint, name_of_tensors
from holdfast.types import Images, Labels, Network, Rows

SAVE_EVERY = 60.0
"""Seconds between two checkpoints."""
VIEW = "view"
"""The kind of the moves that are shown all images, whether broken or not: the views of a defended network."""

Tell = Callable[[int, int, str], None]
Choose = Callable[[Mapping[str, "Move"], Progress], Turn | None]
"""Says which move has the next turn, on which images; None ends the ensemble."""


@dataclass(frozen=True)
class Move:
    """One attack of an ensemble."""

    attack: Attack | None
    """None looks at the clean images."""
    warm: bool = False
    """Whether the attack starts at the best point so far, instead of where it likes."""
    early: bool = False
    """Whether it is one of the first climbs, which may be made in a coarser number format: long ones follow it."""
    passes: float = 100.0
    """About how many forward and backward passes an image costs, which what it does cost replaces; infinity: it is not
    for choosing."""
    kind: str = "climb"
    """Attacks of one kind share what is learnt of them: climb, boundary (minimum-norm), search (random) or `VIEW`."""
    first: Literal["", "all", "few"] = ""
    """What it is shown before any turn is chosen: all images, which it ranks, or a few of all ranks; else nothing."""


@dataclass(frozen=True)
class Subject:
    """The network, its images, and how they are attacked."""

    model: Network
    """What it gets wrong in float32 is a break; nothing else is."""
    crafted_on: Network
    """What the attacks see, in float32: the network itself, or a fast copy of it."""
    images: Images | StoredImages
    labels: Labels
    seed: int = 0
    batch: int = 250
    early: Network | None = None
    """What the early moves see: a copy in a coarser number format; None where it is what all others see."""
    words: str = ""
    """What was done to the copies; what is kept of an audit is kept under a name that holds it."""
    looks: int = 1
    """How many looks in a row must find an image wrong: more than one where the network draws at random, which then
    draws anew from a seed of each batch."""


def untold(done: int, total: int, words: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class InOrder:
    """Gives each of the named moves, all where none is named, one turn on what stands and what it has not seen."""

    names: tuple[str, ...] = ()

    def __call__(self, moves: Mapping[str, Move], progress: Progress) -> Turn | None:
        """Return the turn of the first move that has one."""
        standing = progress.standing()
        for number, name in enumerate(moves):
            rows = standing[~progress.ledger.shown[number].to(standing.device)[standing]]
            if len(rows) and (number == 0 or not self.names or name in self.names):
                return Turn(number, rows, torch.zeros(len(rows), dtype=torch.int64), telling=False)
        return None


def run_moves(
    subject: Subject, moves: Mapping[str, Move], folder: Path | str | None = None, tell: Tell = untold
) -> tuple[Progress, tuple[Stage, ...]]:
    """Return what the moves broke, one after the other, and what each of them did, the clean pass first.

    With a folder, what is done is kept there under a name made of the network, the images and the moves.
    """
    begun = Begun.of(subject, moves, folder, tell)
    go_on(subject, begun, InOrder(), tell)
    return begun.progress, stages_of(begun)


@dataclass(frozen=True)
class Begun:
    """An ensemble under way: its moves, the clean pass first, how far they are, and where that is kept."""

    moves: Mapping[str, Move]
    progress: Progress
    path: Path | None

    @classmethod
    def of(
        cls, subject: Subject, moves: Mapping[str, Move], folder: Path | str | None, tell: Tell, effort: str = ""
    ) -> "Begun":
        """Begin, or go on where the same moves of the same effort were stopped."""
        check(subject.images, subject.labels)
        require(subject.batch > 0, f"batches of {subject.batch} images: one at least")
        moves = {"clean": Move(None), **moves}
        path = None if folder is None else Path(folder) / f"{name_of(subject, moves, effort)}.safetensors"
        writes = rank_and_count()[0] == 0
        if path is None or not path.exists():
            check_same_checkpoint(path, None)
            views = sum(move.kind == VIEW for move in moves.values())
            return cls(moves, begin(subject.images, len(moves), views, path if writes else None), path)
        progress = read(path, subject.images, writes)
        check_same_checkpoint(path, progress)
        tell(0, 1, f"resumed: {int(progress.ledger.images.count_nonzero())} of {len(moves)} attacks were tried")
        return cls(moves, progress, path)


def go_on(subject: Subject, begun: Begun, choose: Choose, tell: Tell = untold) -> None:
    """Give moves their turns until the chooser ends."""
    progress, names = begun.progress, list(begun.moves)
    while True:
        if not progress.under_way:
            turn = choose(begun.moves, progress)
            if turn is None:
                return
            progress.turn = turn
        name = names[progress.move]
        with fresh(name):  # two moves of one kind draw different random numbers
            one_turn(subject, begun, tell)
        progress.end(torch.tensor([move.kind == begun.moves[name].kind for move in begun.moves.values()]))
        if begun.path is not None and rank_and_count()[0] == 0:
            write(begun.path, progress)
        tell(0, 1, f"{name}: accuracy {share_of(progress.broken_by == STANDS):.2%}")


def one_turn(subject: Subject, begun: Begun, tell: Tell) -> None:
    """Attack the batches of a turn that are this process's, and learn what the others found."""
    progress, (rank, count), saved = begun.progress, rank_and_count(), time.monotonic()
    move, rows = list(begun.moves.values())[progress.move], progress.turn.rows
    before = Before(list(progress.spent[progress.move]), progress.margin.clone())
    batches = [some for some in torch.split(rows[progress.done :], subject.batch) if len(some)]
    for some in batches[rank::count]:
        one_batch(subject, some, move, progress)
        progress.done += len(some)
        tell(progress.done, len(rows), "")
        if begun.path is not None and count == 1 and time.monotonic() - saved > SAVE_EVERY:
            write(begun.path, progress)
            saved = time.monotonic()
    merge(progress, torch.cat([rows[:0], *batches[rank::count]]), before)


def one_batch(subject: Subject, rows: Rows, move: Move, progress: Progress) -> None:
    """Attack the images at `rows`; keep the breaks that the network itself confirms, else the best point so far."""
    began, images, labels = time.monotonic(), subject.images[rows], subject.labels[rows]
    reseeded(images.device, subject.looks, subject.seed, progress.move, rows[:1].tolist())
    with counting() as spent:
        attacked = images
        if move.attack is not None:
            start = progress.best[rows] if move.warm else None
            seen = subject.early if move.early and subject.early is not None else subject.crafted_on
            with suppress(NoGradient), exact_products(images.device):  # without a gradient, random search goes on
                attack = with_seed(move.attack.showing(subject.batch), subject.seed)
                attacked = attack(seen, images, labels, start)
        reached, wrong = looked(subject.model, attacked, labels, subject.looks)
        better = reached > progress.margin[rows]
        if move.attack is not None:  # before any attack the images themselves are the points
            progress.best[rows[better]] = attacked[better]
        progress.margin[rows] = reached.maximum(progress.margin[rows])
        progress.enter(rows, wrong, move.kind == VIEW)
        if move.first == "all" and move.attack is not None:
            left = rows[progress.broken_by[rows] == STANDS]
            best, right = progress.best[left], subject.labels[left]
            progress.slope[left] = slope(subject.crafted_on, best, right, move.attack.threat)
    cost = (spent.forwards, spent.backwards, time.monotonic() - began)
    progress.spent[progress.move] = [a + b for a, b in zip(progress.spent[progress.move], cost, strict=True)]


def name_of(subject: Subject, moves: Mapping[str, Move], effort: str = "") -> str:
    """Return a name made of the network, every pixel and label, the moves, what chooses among them, and the seed."""
    if not isinstance(subject.model, nn.Module):
        raise UsageError("only a torch.nn.Module can be audited into a folder: a function's weights have no name")
    data = name_of_tensors({"images": subject.images, "labels": subject.labels})
    return fingerprint([network_fingerprint(subject.model), data, dict(moves), effort, subject.seed, subject.words])


def stages_of(begun: Begun) -> tuple[Stage, ...]:
    """Return what each move did."""
    return tuple(
        Stage(
            name,
            int(begun.progress.ledger.images[number]),
            int((begun.progress.broken_by == number).sum()),
            int(begun.progress.spent[number][0]),
            int(begun.progress.spent[number][1]),
            begun.progress.spent[number][2],
            move.attack is not None and move.attack.gradient_free,
        )
        for number, (name, move) in enumerate(begun.moves.items())
    )
