"""How far an ensemble of attacks has come: what an interrupted one goes on from."""

import math
from dataclasses import astuple, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from holdfast.auditing.ledger import Ledger, Turn
from holdfast.auditing.points import PointsOnDisk, points_of
from holdfast.data import StoredImages
from holdfast.passes import Spent
from holdfast.storage.files import clear
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.types import Flags, Images, Index, PerImage, Rows

STANDS, CLEAN = -1, 0
"""In `broken_by`: an image that no attack broke, and one that is wrong without any attack."""


@dataclass
class Progress:
    """What is known of each image, and where in which turn the ensemble is."""

    broken_by: Index
    """The number of the move that broke each image; STANDS, or CLEAN, the number of the clean pass."""
    best: Images | PointsOnDisk
    """The break of each broken image; of the others, the point of the highest margin so far."""
    margin: PerImage
    """The highest margin so far: how near the network was to being wrong."""
    slope: PerImage
    """How much a whole radius can change the margin, by the gradient where the first climbs came to; 0: not known."""
    ledger: Ledger
    spent: list[list[float]]
    """Forwards, backwards and seconds of each move."""
    turn: Turn = field(default_factory=Turn.none)
    """The present turn; `Turn.none()` between two."""
    done: int = 0
    """How many of its images are through."""
    step: int = 0
    """The number of the step of the audit's plan that the turn belongs to."""
    first: float = 0.0
    """The passes of all moves in the first step of the plan, by which checks are sized that are made once."""
    checked: dict[str, Spent] = field(default_factory=dict)
    """What each check cost that was made after an earlier step, and is made again."""
    fell: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.bool))
    """Which images each view of a defended network broke, a column a view; these are the first moves after the clean
    pass, and are shown the images that others broke too."""

    @property
    def move(self) -> int:
        """The number of the move whose turn it is."""
        return self.turn.move

    @property
    def under_way(self) -> bool:
        """Whether the present turn has not come to its end."""
        return len(self.turn.rows) > 0

    @property
    def passes(self) -> Tensor:
        """Forwards and backwards of each move together."""
        return torch.tensor(self.spent, dtype=torch.float64)[:, :2].sum(1)

    @property
    def searched(self) -> float:
        """The passes of all moves, those of the views left out: what the search for the worst has spent."""
        return float(self.passes.sum() - self.passes[1 : 1 + self.fell.shape[1]].sum())

    def enter(self, rows: Rows, wrong: Flags, view: bool) -> None:
        """Note which of some images the present move broke; the first move that breaks an image keeps it."""
        if view:
            self.fell[rows, self.move - 1] = wrong
        wrong = wrong & (self.broken_by[rows] == STANDS)
        self.broken_by[rows[wrong]] = self.move

    def end(self, alike: Flags) -> None:
        """End the present turn, and enter it into the ledger; `alike` are the moves of its kind."""
        broken = self.broken_by[self.turn.rows] != STANDS
        self.ledger.enter(self.turn, alike, broken)
        self.turn, self.done = Turn.none(), 0

    def standing(self) -> Rows:
        """Return the positions of the images that nothing has broken."""
        return (self.broken_by == STANDS).nonzero()[:, 0]

    def distance(self, rows: Rows) -> PerImage:
        """Return how far images are from being wrong, by a linear estimate, in radii; infinity: not known."""
        return torch.where(self.slope[rows] > 0, -self.margin[rows] / self.slope[rows], torch.inf)

    def ranked(self) -> Rows:
        """Return the standing images, those that came nearest to being wrong first.

        By their distances; those whose distance is not known come last, by their margins.
        """
        standing = self.standing()
        standing = standing[self.margin[standing].sort(descending=True, stable=True).indices]
        return standing[self.distance(standing).sort(stable=True).indices]


def begin(images: Images | StoredImages, moves: int = 1, views: int = 0, path: Path | None = None) -> Progress:
    """Return the progress of an ensemble that has done nothing; so many of its moves are views.

    `path` is where this process will write its checkpoints, if it does.
    """
    nobody = torch.full((len(images),), STANDS, device=images.device)
    margin = torch.full((len(images),), -math.inf, device=images.device)
    slope, ledger = torch.zeros_like(margin), Ledger.blank(moves, len(images))
    fell = torch.zeros(len(images), views, dtype=torch.bool, device=images.device)
    best = points_of(images, path)
    return Progress(nobody, best, margin, slope, ledger, [[0.0] * 3 for _ in range(moves)], fell=fell)


def write(path: Path, progress: Progress) -> None:
    """Write the checkpoint, whole or not at all, and clear away what a killed audit was writing.

    Points on disk are there already, those alone that changed: what is written is where they lie.
    """
    clear(path.parent, path.name)
    turn, best = progress.turn, progress.best
    if isinstance(best, PointsOnDisk):
        best.flush()
    tensors = {
        "broken_by": progress.broken_by,
        **({"slots": best.slots, "sums": best.sums} if isinstance(best, PointsOnDisk) else {"best": best}),
        "margin": progress.margin,
        "slope": progress.slope,
        "spent": torch.tensor(progress.spent, dtype=torch.float64),
        "rows": turn.rows,
        "bands": turn.bands,
        "at": torch.tensor([turn.move, int(turn.telling), progress.done, progress.step]),
        "first": torch.tensor(progress.first, dtype=torch.float64),
        **{
            f"check.{name}": torch.tensor(astuple(cost), dtype=torch.float64) for name, cost in progress.checked.items()
        },
        **{f"ledger.{name}": values for name, values in progress.ledger.tensors().items()},
        **({"fell": progress.fell} if progress.fell.numel() else {}),
    }
    write_tensors(path, tensors, audit=path.stem)
    if isinstance(best, PointsOnDisk):
        best.fix()


def read(path: Path, images: Images | StoredImages, writes: bool = True) -> Progress:
    """Read how far it had come; a file that was damaged, or is another audit's, is named.

    A process that `writes` no checkpoints copies the points that lie on disk.
    """
    kept = read_tensors(path, "delete it; the audit will begin again", audit=path.stem)
    names = ("broken_by", "margin", "slope", "rows")
    broken_by, margin, slope, rows = (kept[name].to(images.device) for name in names)
    best: Images | PointsOnDisk
    if "best" in kept:
        best = kept["best"].to(images.device)
    else:
        best = PointsOnDisk.read(path, images, kept["slots"], kept["sums"], writes)
    ledger = Ledger(**{name[7:]: values for name, values in kept.items() if name.startswith("ledger.")})
    move, telling, done, step = kept["at"].tolist()
    turn = Turn(move, rows, kept["bands"], bool(telling))
    first, spent = float(kept.get("first", 0.0)), kept["spent"].tolist()
    costs = {name[6:]: cost.tolist() for name, cost in kept.items() if name.startswith("check.")}
    checked = {
        name: Spent(int(forwards), int(backwards), seconds) for name, (forwards, backwards, seconds) in costs.items()
    }
    fell = kept.get("fell", torch.zeros(len(images), 0, dtype=torch.bool)).to(images.device)
    return Progress(broken_by, best, margin, slope, ledger, spent, turn, done, step, first, checked, fell)
