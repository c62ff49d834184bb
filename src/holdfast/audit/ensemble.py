"""One attack after another, each on images that still stand, every break verified; what was stopped goes on.

A move says which attack, on what share of the images, and from where. The share is that of the most fragile: those
whose best point so far has the highest margin. Several processes share the batches of each move and join what they
found, so that they find what one would.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from holdfast import record
from holdfast.attacks import Attack
from holdfast.attacks.attack import with_seed
from holdfast.attacks.inputs import check
from holdfast.attacks.watched import check_labels
from holdfast.audit.processes import join, rank_and_count
from holdfast.audit.progress import STANDS, Progress, begin, most_fragile, read, write
from holdfast.audit.verdict import Stage
from holdfast.behaviour import identity
from holdfast.correctness import is_correct
from holdfast.errors import NoGradient, UsageError, require
from holdfast.evaluation import exact_products, judge
from holdfast.metrics import share_of
from holdfast.objectives import margin
from holdfast.passes import counting, spend
from holdfast.streams import fresh
from holdfast.threats import per_image
from holdfast.types import Images, Labels, Network, Rows

SAVE_EVERY = 60.0
"""Seconds between two writings of how far it has come."""

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Move:
    """One attack of an ensemble."""

    attack: Attack | None
    """None looks at the clean images."""
    share: float = 1.0
    """The share of the standing images that are attacked: the most fragile."""
    warm: bool = False
    """Whether the attack starts at the best point so far, instead of where it likes."""
    after: str = ""
    """The name of an earlier move; this one is made only if that one broke an image."""
    early: bool = False
    """Whether it is one of the first climbs, which may be made in a coarser number format: long ones follow it."""

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        require(0 < self.share <= 1, f"a move's share is {self.share}, not in (0, 1]")


@dataclass(frozen=True)
class Subject:
    """The network, its images, and how they are attacked."""

    model: Network
    """What it gets wrong in float32 is a break; nothing else is."""
    crafted_on: Network
    """What the attacks see, in float32: the network itself, or a fast copy of it."""
    images: Images
    labels: Labels
    seed: int = 0
    batch: int = 250
    early: Network | None = None
    """What the early moves see: a copy in a coarser number format; None where it is what all others see."""
    words: str = ""
    """What was done to the copies; what is kept of an audit is kept under a name that holds it."""


def untold(done: int, total: int, words: str) -> None:
    """Tell nobody."""


def run_moves(
    subject: Subject,
    moves: Mapping[str, Move],
    folder: Path | str | None = None,
    tell: Tell = untold,
    after: Progress | None = None,
) -> tuple[Progress, tuple[Stage, ...]]:
    """Return what the moves broke, and what each of them did, the clean pass first.

    With a folder, what is done is kept there under a name made of the network, the images and the moves. `after` is the
    progress of the first of these moves, where those have been made.
    """
    check(subject.images, subject.labels)
    require(subject.batch > 0, f"batches of {subject.batch} images: one at least")
    moves = {"clean": Move(None), **moves}
    path = None if folder is None else Path(folder) / f"{name_of(subject, moves)}.safetensors"
    progress = begin(subject.images) if after is None else after
    if path is not None and path.exists():
        progress = read(path, subject.images)
        tell(0, 1, f"goes on: {progress.move} of {len(moves)} moves were made")
    for number, (name, move) in list(enumerate(moves.items()))[progress.move :]:
        if len(progress.spent) == number:  # it has not begun
            progress.rows = shown(progress, moves, name)
            progress.attacked.append(len(progress.rows))
            progress.spent.append([0.0, 0.0, 0.0])
        with fresh(name):  # two moves of one kind draw different random numbers
            one_move(subject, move, progress, path, tell)
        progress.move, progress.done = number + 1, 0
        if path is not None and rank_and_count()[0] == 0:
            write(path, progress)
        tell(0, 1, f"{name}: {share_of(progress.broken_by == STANDS):.2%} stand")
    return progress, tuple(_stage(name, move, number, progress) for number, (name, move) in enumerate(moves.items()))


def shown(progress: Progress, moves: Mapping[str, Move], name: str) -> Rows:
    """Return the images that a move attacks: none, where it waits for an earlier one to break any and that did not."""
    earlier = moves[name].after
    if earlier and not bool((progress.broken_by == list(moves).index(earlier)).any()):
        return progress.standing()[:0]
    return most_fragile(progress, moves[name].share)


def one_move(subject: Subject, move: Move, progress: Progress, path: Path | None, tell: Tell) -> None:
    """Attack the batches of a move that are this process's, and learn what the others found."""
    (rank, count), saved = rank_and_count(), time.monotonic()
    before = list(progress.spent[progress.move])
    batches = [rows for rows in torch.split(progress.rows[progress.done :], subject.batch) if len(rows)]
    for rows in batches[rank::count]:
        one_batch(subject, rows, move, progress)
        progress.done += len(rows)
        tell(progress.done, len(progress.rows), "")
        if path is not None and count == 1 and time.monotonic() - saved > SAVE_EVERY:
            write(path, progress)
            saved = time.monotonic()
    join(progress, torch.cat([progress.rows[:0], *batches[rank::count]]), before)


def one_batch(subject: Subject, rows: Rows, move: Move, progress: Progress) -> None:
    """Attack the images at `rows`; keep the breaks that the network itself confirms, else the best point so far."""
    began, images, labels = time.monotonic(), subject.images[rows], subject.labels[rows]
    with counting() as spent:
        attacked = images
        if move.attack is not None:
            start = progress.best[rows] if move.warm else None
            seen = subject.early if move.early and subject.early is not None else subject.crafted_on
            with suppress(NoGradient), exact_products(images.device):  # without a gradient, random search goes on
                attacked = with_seed(move.attack, subject.seed)(seen, images, labels, start)
        logits = judge(subject.model, attacked)
        check_labels(labels, logits)
        reached = margin(logits, labels).nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)  # of two ruled out
        spend(forwards=len(rows))
    better = reached > progress.margin[rows]
    progress.best[rows] = torch.where(per_image(better), attacked, progress.best[rows])
    progress.margin[rows] = reached.maximum(progress.margin[rows])
    progress.broken_by[rows[~is_correct(logits, labels)]] = progress.move
    cost = (spent.forwards, spent.backwards, time.monotonic() - began)
    progress.spent[progress.move] = [a + b for a, b in zip(progress.spent[progress.move], cost, strict=True)]


def name_of(subject: Subject, moves: Mapping[str, Move]) -> str:
    """Return a name made of the network, every pixel and label, the moves and the seed."""
    if not isinstance(subject.model, nn.Module):
        raise UsageError("only a torch.nn.Module can be audited into a folder: a function's weights have no name")
    data = record.fingerprint_of_tensors({"images": subject.images, "labels": subject.labels})
    return record.fingerprint([identity(subject.model), data, dict(moves), subject.seed, subject.words])


def _stage(name: str, move: Move, number: int, progress: Progress) -> Stage:
    forwards, backwards, seconds = progress.spent[number]
    broken = int((progress.broken_by == number).sum())
    free = move.attack is not None and move.attack.gradient_free
    return Stage(name, progress.attacked[number], broken, int(forwards), int(backwards), seconds, free)
