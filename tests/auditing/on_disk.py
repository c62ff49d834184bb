"""What several processes do whose points lie on disk: `torchrun ... -m tests.auditing.on_disk FOLDER`, twice."""

import sys
from pathlib import Path

import torch

import holdfast as hf
from holdfast.attacks import PGD, Square
from holdfast.auditing import points
from holdfast.auditing.distributed import rank_and_count
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.launched import launched
from holdfast.data import StoredImages
from tests.auditing.tiny import linear

THREAT = hf.Linf(0.12)
MOVES = {
    "few": Move(PGD(THREAT, steps=1)),
    "climb": Move(PGD(THREAT, steps=3), first="all"),
    "squares": Move(Square(THREAT, queries=15), warm=True),
}


def found(folder: Path | None = None, count: int = 24) -> dict[str, torch.Tensor]:
    """Return what the moves find."""
    network, data = linear(), hf.load("digits", "test")
    subject = Subject(network, network, StoredImages.of(data.images[:count]), data.labels[:count], batch=5)
    progress, _ = run_moves(subject, MOVES, folder=folder)
    names = ("broken_by", "margin", "slope", "passes")
    return {"best": progress.best[:], **{name: getattr(progress, name) for name in names}}


if __name__ == "__main__":
    points.IN_MEMORY = 0
    place = Path(sys.argv[1])
    with launched(torch.device("cpu")):
        torch.save(found(place / "progress"), place / f"{rank_and_count()[0]}.pt")
