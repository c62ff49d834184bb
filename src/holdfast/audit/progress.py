"""How far an ensemble of attacks has come: what an interrupted one goes on from."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast import record
from holdfast.disk import clear
from holdfast.types import Images, Index, PerImage, Rows

FEWEST = 10
"""A share of a small set would be an image or two."""
STANDS, CLEAN = -1, 0
"""In `broken_by`: an image that no attack broke, and one that is wrong without any attack."""


@dataclass
class Progress:
    """What is known of each image, and where in which move the ensemble is."""

    broken_by: Index
    """The number of the move that broke each image; STANDS, or CLEAN, the number of the clean pass."""
    best: Images
    """The break of each broken image; of the others, the point of the highest margin so far."""
    margin: PerImage
    """The highest margin so far: how near the network was to being wrong."""
    attacked: list[int]
    """How many images each move was shown, those that are done and the present one."""
    spent: list[list[float]]
    """Forwards, backwards and seconds of each of these moves."""
    rows: Rows
    """The images that the present move is shown."""
    move: int = 0
    done: int = 0
    """How many of these are through."""

    def standing(self) -> Rows:
        """Return the positions of the images that nothing has broken."""
        return (self.broken_by == STANDS).nonzero()[:, 0]


def begin(images: Images) -> Progress:
    """Return the progress of an ensemble that has done nothing."""
    nobody = torch.full((len(images),), STANDS, device=images.device)
    margin = torch.full((len(images),), -math.inf, device=images.device)
    return Progress(nobody, images.clone(), margin, [], [], nobody[:0])


def most_fragile(progress: Progress, share: float) -> Rows:
    """Return the standing images of the highest margins, FEWEST at least, in the order of the data set."""
    standing = progress.standing()
    count = max(math.ceil(share * len(standing)), FEWEST)
    if count >= len(standing):
        return standing
    chosen = progress.margin[standing].sort(descending=True, stable=True).indices[:count]
    return standing[chosen.sort().values]


def write(path: Path, progress: Progress) -> None:
    """Write how far it has come, whole or not at all, and clear away what a killed audit was writing."""
    clear(path.parent, path.name)
    tensors = {
        "broken_by": progress.broken_by,
        "best": progress.best,
        "margin": progress.margin,
        "rows": progress.rows,
        "attacked": torch.tensor(progress.attacked),
        "spent": torch.tensor(progress.spent, dtype=torch.float64),
        "at": torch.tensor([progress.move, progress.done]),
    }
    record.write_tensors(path, tensors, audit=path.stem)


def read(path: Path, images: Images) -> Progress:
    """Read how far it had come; a file that was damaged, or is another audit's, is named."""
    kept = record.read_tensors(path, "delete it; the audit will begin again", audit=path.stem)
    broken_by, best, margin, rows = (kept[name].to(images.device) for name in ("broken_by", "best", "margin", "rows"))
    move, done = kept["at"].tolist()
    return Progress(broken_by, best, margin, kept["attacked"].tolist(), kept["spent"].tolist(), rows, move, done)
