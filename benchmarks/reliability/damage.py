"""Damage files that are read back, one at a time, and call what reads them.

    python benchmarks/reliability/damage.py --count 500 --write    # about ten minutes on two cores

A bit is flipped, or the file is cut, exchanged for another of its kind, or deleted. What reads it must say so in one
line that names the file or its folder, or end as with the whole file.
"""

import argparse
import hashlib
import importlib
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import forked
import torch

import holdfast as hf
from holdfast.analysis import SoftmaxArguments
from holdfast.attacks import FGSM, PGD, StepLL
from holdfast.auditing.engine import Subject, run_moves
from holdfast.auditing.schedule import Move
from holdfast.data import made_up_images
from holdfast.errors import TrainingDiverged
from holdfast.evaluation import Cell, outcomes, read_outcomes, write_outcomes
from holdfast.experiments import Audit, Figure, Study, Table, Workplace, fill_figure, fill_table, read_results
from holdfast.experiments.audit_column import audited
from holdfast.experiments.trained import Trained
from holdfast.methods import AT, SavedImages, SIMAdv, UnifiedEmbedding
from holdfast.report import to_json
from holdfast.report.formats import render
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.fingerprint import fingerprint, name_of_tensors
from holdfast.storage.signed import write_text
from holdfast.training import loop
from holdfast.training.folder import seconds_of
from holdfast.training.networks import network
from holdfast.training.optimizers import SGD
from holdfast.training.run import Start

COLUMNS = ["clear line", "same result", "another file named", "silent", "traceback", "died", "hang"]
BAD = ("silent", "traceback", "died", "hang")
RUN = hf.Run(AT(FGSM()), data="made-up:1x8x8", epochs=2, limit=64, batch=16, optimizer=SGD(lr=0.05))
OTHER = replace(RUN, seed=1)
STATEFUL = replace(RUN, method=SIMAdv(), epochs=3)
BEGUN = replace(RUN, epochs=4, start=Start(RUN, "position"))
SAVED = SavedImages(RUN, largest=6)
FROM_BANK = replace(RUN, method=UnifiedEmbedding((StepLL(), SAVED)), epochs=1)
WILD = replace(RUN, optimizer=SGD(lr=1e38))
CELLS = [Cell("a", "a", attack) for attack in (FGSM(), PGD(steps=3))]
AUDIT, LOOK = Audit(hf.Linf(0.02), "fast", limit=8), SoftmaxArguments(eps=(0.0, 1.0), images=4)
TABLE = Table("T", {"row": RUN}, {"clean": None, "FGSM": FGSM()}, seeds=(0,), test_limit=16)


module: Any = importlib.import_module("holdfast.methods.bank")


class Stop(Exception):
    """What ends a training, a bank or an audit before its end."""


@dataclass(frozen=True)
class Kind:
    """A kind of file, and what reads it."""

    read: Callable[[Path], str]
    """Given the folder, it returns a name of the result."""
    files: str
    """A pattern of the files; the first is damaged."""
    other: str = ""
    """A pattern of files that it may be exchanged for, where `files` has but one."""
    deleted: int = 1
    """How often it is deleted, for twelve bits that are flipped."""


def hashed(folder: Path, *names: str) -> str:
    """Return a hash of files."""
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


def trains(run: hf.Run, name: str) -> Callable[[Path], str]:
    """Return the training of a run to its end, and the hash of what it leaves."""

    def read(folder: Path) -> str:
        try:
            hf.train(run, folder / name)
        except TrainingDiverged:
            return "diverged"
        return hashed(folder / name, "model.safetensors", "metrics.jsonl")

    return read


def weights(folder: Path) -> str:
    """Read a finished run as the command line does."""
    return name_of_tensors(network(str(folder / "run"), None, (1, 8, 8), 10).state_dict())


def answers(folder: Path) -> str:
    """Evaluate a cell, or read it."""
    found = [outcomes(cell, {"a": model()}, images(), folder / "outcomes") for cell in CELLS]
    return name_of_tensors({str(place): each.logits for place, each in enumerate(found)})


def progress(folder: Path) -> str:
    """Go on with what audits do, from where they were."""
    shown = images()
    moves = {"FGSM": Move(FGSM()), "PGD": Move(PGD(steps=3))}
    found = []
    for seed in (0, 1):
        subject = Subject(model(), model(), shown.take(torch.arange(len(shown))), shown.labels, seed)
        found.append(run_moves(subject, moves, folder / "progress")[0])
    kept = {f"{place}{name}": getattr(each, name) for place, each in enumerate(found) for name in ("best", "broken_by")}
    return name_of_tensors(kept)


def column(folder: Path) -> str:
    """Read the audits of a table, or make them."""
    found = [
        audited(AUDIT, Trained(network_fingerprint(model()), model), images(), seed, folder / "audits", loop.silent)
        for seed in (0, 1)
    ]
    return str([(name_of_tensors({"logits": each.rows.logits}), each.doubts) for each in found])


def looked(folder: Path) -> str:
    """Read the analyses of a figure, or make them."""
    figure = Figure("f", {"": {"a": Study(RUN, LOOK), "b": Study(RUN, replace(LOOK, images=5))}}, test_limit=16)
    return to_json(fill_figure("f", figure, "smoke", Workplace(folder)))


def tables(folder: Path) -> str:
    """Print the tables of a folder, in whatever order."""
    return "\n".join(sorted(render([table], "text") for table in read_results(folder)))


def model() -> torch.nn.Module:
    """Return a network that is the same at every call."""
    torch.manual_seed(0)
    return hf.models.build("digits-net", (1, 8, 8), 10).eval()


def images() -> hf.ImageSet:
    """Return a few images."""
    return made_up_images((1, 8, 8), "test").subset(torch.arange(24))


ORIGIN = fingerprint(RUN)
KINDS = {
    "last.pt, gone on from": Kind(trains(STATEFUL, "half"), "half/last.pt", "run/last.pt"),
    "run.json, gone on from": Kind(trains(STATEFUL, "half"), "half/run.json", "run/run.json"),
    "metrics.jsonl, gone on from": Kind(trains(STATEFUL, "half"), "half/metrics.jsonl", "run/metrics.jsonl"),
    "last.pt, begun from": Kind(trains(BEGUN, "begun"), f"{ORIGIN}/last.pt", "other/last.pt"),
    "model.safetensors, begun from": Kind(
        trains(BEGUN, "begun"), f"{ORIGIN}/model.safetensors", "other/model.safetensors"
    ),
    "diverged.json": Kind(trains(WILD, "wild"), "wild/diverged.json", "run/timing.json"),
    "model.safetensors": Kind(weights, "run/model.safetensors", "other/model.safetensors"),
    "run.json": Kind(weights, "run/run.json", "other/run.json"),
    "timing.json": Kind(lambda folder: str(seconds_of(folder / "run")), "run/timing.json", "other/timing.json"),
    "bank-*.bytes": Kind(trains(FROM_BANK, "banked"), f"{ORIGIN}/bank-*.bytes"),
    "bank-*.json": Kind(trains(FROM_BANK, "banked"), f"{ORIGIN}/bank-*.json", "run/timing.json"),
    "bank-*.part": Kind(trains(FROM_BANK, "part/banked"), f"part/{ORIGIN}/bank-*.part"),
    "bank-*.part.json": Kind(trains(FROM_BANK, "part/banked"), f"part/{ORIGIN}/bank-*.part.json", "run/timing.json"),
    "outcomes": Kind(answers, "outcomes/*.safetensors"),
    "outcomes, half made": Kind(lambda folder: answers(folder / "part"), "part/outcomes/*.part"),
    "progress of an audit": Kind(progress, "progress/*.safetensors"),
    "audits/*.safetensors": Kind(column, "audits/*.safetensors"),
    "audits/*.json": Kind(column, "audits/*.json"),
    "analyses/*.json": Kind(looked, "analyses/*.json"),
    "tables/*.json": Kind(tables, "tables/*.json", deleted=0),  # what is deleted there is not asked for
}


def prepare(folder: Path) -> None:
    """Make every kind of file: whole ones, and what interrupted work leaves."""
    for run, name in ((RUN, "run"), (OTHER, "other"), (RUN, ORIGIN)):
        hf.train(run, folder / name)
    shutil.copytree(folder / ORIGIN, folder / "part" / ORIGIN)
    loop.SAVE_EVERY = 0.0
    stopped(lambda: hf.train(STATEFUL, folder / "half", tell=stop_at(6)), Stop)
    stopped(lambda: hf.train(WILD, folder / "wild"), TrainingDiverged)
    with_half_a_bank(folder / "part")
    hf.train(FROM_BANK, folder / "banked")
    shutil.rmtree(folder / "banked")
    answers(folder)
    for path in sorted((folder / "outcomes").glob("*.safetensors")):
        rows = read_outcomes(path)
        half = replace(rows, logits=rows.logits[:10], labels=rows.labels[:10], distance=rows.distance[:10])
        write_outcomes(folder / "part" / "outcomes" / f"{path.stem}.part", half)
    for read in (progress, column, looked):
        read(folder)
    for name, limit in (("one", 8), ("two", 16)):
        result = fill_table(name, replace(TABLE, test_limit=limit), "smoke", Workplace(folder / "filled"))
        write_text(folder / "tables" / f"{name}.json", to_json(result))


def with_half_a_bank(folder: Path) -> None:
    """Leave a bank of which 48 of 64 images are made."""
    whole, module.CHUNK, calls = module.climbs, 24, []

    def some(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 3:
            raise Stop
        return whole(*given)

    module.climbs = some
    stopped(lambda: hf.train(FROM_BANK, folder / "banked"), Stop)
    module.climbs = whole


def stopped(work: Callable[[], object], kind: type[Exception]) -> None:
    """Do work that ends with an exception."""
    try:
        work()
    except kind:
        return
    raise AssertionError("it was to be stopped")


def stop_at(step: int) -> Callable[[int, int, str], None]:
    """Return what ends a training after a step."""

    def tell(done: int, total: int, words: str) -> None:
        if done == step and not words:
            raise Stop

    return tell


def damage(path: Path, others: list[Path], deleted: int, dice: random.Random) -> str:
    """Damage a file, and say how."""
    data = path.read_bytes()
    how = dice.choices(("flip", "cut", "exchange", "delete"), (12, 4, 2 if others else 0, deleted))[0]
    if how == "flip":
        spot, bit = dice.randrange(len(data)), dice.randrange(8)
        path.write_bytes(data[:spot] + bytes([data[spot] ^ 1 << bit]) + data[spot + 1 :])
        return f"bit {bit} of byte {spot} of {len(data)} flipped"
    if how == "cut":
        length = dice.randrange(len(data))
        path.write_bytes(data[:length])
        return f"cut to {length} of {len(data)} bytes"
    if how == "exchange":
        other = dice.choice(others)
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"exchanged for {other.name}"
    path.unlink()
    return "deleted"


def trial(kind: Kind, right: str, whole: Path, folder: Path, dice: random.Random) -> tuple[str, str]:
    """Damage a file, call what reads it, and return what came of it in a word and in many."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    path, *others = sorted(folder.glob(kind.files))
    how = damage(path, [*others, *(folder.glob(kind.other) if kind.other else ())], kind.deleted, dice)
    ended, words = forked.outcome(lambda: kind.read(folder), folder.with_suffix(".told"))
    said = f"{path.relative_to(folder)}, {how}: {words}"
    if ended == "done":
        return ("same result" if words == right else "silent"), said
    if ended == "refused":
        named = path.name in words or str(path.parent) in words
        return ("clear line" if named and "\n" not in words else "another file named"), said
    return ended, said


def main() -> int:
    """Damage, read, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="damages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/reliability/damage"))
    parser.add_argument("--write", action="store_true", help="write docs/reliability/damage.json")
    chosen = parser.parse_args()
    forked.ready()
    shutil.rmtree(chosen.folder, ignore_errors=True)
    whole, folder = chosen.folder / "whole", chosen.folder / "damaged"
    prepare(whole)
    dice, counts = random.Random(chosen.seed), {}
    for place, (name, kind) in enumerate(KINDS.items()):
        counts[name] = Counter[str]()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        ended, right = forked.outcome(lambda kind=kind: kind.read(folder), folder.with_suffix(".told"))
        assert ended == "done", right
        for _ in range(chosen.count // len(KINDS) + (place < chosen.count % len(KINDS))):
            word, said = trial(kind, right, whole, folder, dice)
            counts[name][word] += 1
            if word not in ("clear line", "same result"):
                print(f"{name}: {word}: {said}", file=sys.stderr)
        print(f"{name}: {dict(counts[name])}", file=sys.stderr)
    print(forked.show("damaged", COLUMNS, counts))
    if chosen.write:
        forked.write("damage", counts, COLUMNS, chosen.seed)
    return int(any(count[bad] for count in counts.values() for bad in BAD))


if __name__ == "__main__":
    sys.exit(main())
