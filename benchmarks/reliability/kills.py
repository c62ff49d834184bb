"""Kill trainings, audits and tables at random moments, call them again, and compare with the undisturbed ones.

    python benchmarks/reliability/kills.py --count 200 --write    # about twenty minutes on two cores

A trial kills the work up to three times by SIGKILL, then lets it end. Weights, metrics, banks, outcomes, tables and
reports must be those of the undisturbed work, bit for bit, but for times; nothing may be left over.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import forked

import holdfast as hf
from holdfast import cli, evaluation
from holdfast.attacks import FGSM, PGD, StepLL
from holdfast.auditing import engine
from holdfast.methods import AT, ATDA, EAT, TRADES, FreeAT, Guarded, Kurakin, SavedImages, SIMAdv, UnifiedEmbedding
from holdfast.storage.fingerprint import name_of_tensors
from holdfast.storage.signed import read_tensors
from holdfast.training import loop
from holdfast.training.optimizers import SGD
from holdfast.training.run import Start

COLUMNS = ["same", "other", "refused", "traceback", "died", "hang", "left over"]
BAD = ("other", "refused", "traceback", "died", "hang", "left over")
SOURCE = hf.Run(AT(FGSM()), data="made-up:1x8x8", epochs=1, limit=64, batch=16, optimizer=SGD(lr=0.05))
BASE = replace(SOURCE, epochs=3, limit=96)
SAVED = SavedImages(SOURCE, largest=6)
RUNS = {
    "AT": replace(BASE, method=AT(PGD(hf.Linf(0.1), steps=3))),
    "AT, bfloat16": replace(SOURCE, epochs=3, precision="bfloat16"),
    "TRADES": replace(BASE, method=TRADES()),
    "AT, selected": replace(BASE, held_out=16, select=FGSM()),
    "SIMAdv": replace(BASE, method=SIMAdv()),
    "ATDA": replace(BASE, method=ATDA()),
    "FreeAT": replace(BASE, method=FreeAT()),
    "Guarded": replace(BASE, method=Guarded()),
    "EAT": replace(BASE, method=EAT((SOURCE,))),
    "UnifiedEmbedding, bank": replace(BASE, method=UnifiedEmbedding((StepLL(), SAVED))),
    "Kurakin, bank, begun": replace(BASE, method=Kurakin((StepLL(), SAVED)), start=Start(SOURCE, "position")),
}


@dataclass(frozen=True)
class Work:
    """What is killed: what it does in a folder, and what it must leave there."""

    do: Callable[[Path], object]
    left: Callable[[Path], dict[str, str]]
    share: float
    """Of the trials."""


def works(network: Path) -> dict[str, Work]:
    """Return all kinds of work, by name."""
    trained = {f"train: {name}": Work(training_of(run), of_training, 0.7 / len(RUNS)) for name, run in RUNS.items()}
    return trained | {
        "audit --resume": Work(audit_of(network), of_audit, 0.195),
        "reproduce": Work(reproduce, of_tables, 0.105),
    }


def training_of(run: hf.Run) -> Callable[[Path], object]:
    """Return the training of a run, with those that it needs."""
    return lambda folder: hf.train(run, folder / "run") and None


def audit_of(network: Path) -> Callable[[Path], object]:
    """Return an audit that goes on where it was."""
    words = ["audit", str(network), "--limit", "12", "--effort", "fast", "--threat.eps", "0.1", "--resume", "--folder"]
    return lambda folder: succeed([*words, str(folder)])


def reproduce(folder: Path) -> None:
    """Fill a small table."""
    succeed(["reproduce", "demo", "--table", "1", "--scale", "smoke", "--folder", str(folder)])


def succeed(words: list[str]) -> None:
    """Carry out a command that has to end well."""
    status = cli.main(words)
    assert status == 0, f"status {status}"


def of_training(folder: Path) -> dict[str, str]:
    """Return what trainings leave, as hashes of files."""
    names = ("model.safetensors", "metrics.jsonl", "run.json", "*.bytes")
    paths = [path for name in names for path in folder.glob(f"*/{name}")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def of_audit(folder: Path) -> dict[str, str]:
    """Return the report without its times and the command."""
    return {"report": json.dumps(without_times(json.loads((folder / "report.json").read_text())), sort_keys=True)}


def of_tables(folder: Path) -> dict[str, str]:
    """Return the values of the tables, the weights behind them, and what the networks answered."""
    tables = {path.name: json.loads(path.read_text())["values"] for path in folder.glob("tables/*.json")}
    answers = {path.name: read_tensors(path, "") for path in folder.glob("outcomes/*.safetensors")}
    names = {
        name: name_of_tensors({each: kept[each] for each in kept if each != "seconds"})
        for name, kept in answers.items()
    }
    return {"tables": json.dumps(tables, sort_keys=True), **names, **of_training(folder / "runs")}


def without_times(value: Any) -> Any:
    """Return a report without what differs from call to call."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in ("seconds", "command")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def trial(work: Work, right: dict[str, str], seconds: float, folder: Path, dice: random.Random) -> str:
    """Kill some work, let it end, and say what came of it."""
    told = folder.with_suffix(".told")
    shutil.rmtree(folder, ignore_errors=True)
    for _ in range(dice.choice((1, 1, 2, 3))):
        every = dice.choice((0.0, 0.05, 60.0))

        def do(every: float = every) -> object:
            loop.SAVE_EVERY = evaluation.SAVE_EVERY = engine.SAVE_EVERY = every
            return work.do(folder)

        status = forked.ended(forked.begin(do, told), dice.uniform(0, seconds))
        if status is not None:
            break  # it was done before the moment came
    kind, words = forked.outcome(lambda: work.do(folder), told)
    if kind != "done":
        print(f"{kind}: {words}", file=sys.stderr)
        return kind
    if (left := work.left(folder)) != right:
        names = [name for name in left.keys() | right.keys() if left.get(name) != right.get(name)]
        print(f"other: {', '.join(sorted(names))}", file=sys.stderr)
        return "other"
    over = [path for path in folder.rglob(".*") if path.is_file()] + list(folder.rglob("*.part*"))
    return "left over" if over else "same"


def main() -> int:
    """Kill, resume, compare, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/reliability/kills"))
    parser.add_argument("--write", action="store_true", help="write docs/reliability/kills.json")
    chosen = parser.parse_args()
    forked.ready()
    shutil.rmtree(chosen.folder, ignore_errors=True)
    network = (chosen.folder / "network").resolve()
    told = network.with_suffix(".told")
    network.parent.mkdir(parents=True)
    assert forked.outcome(lambda: hf.train(replace(BASE, epochs=8), network) and None, told)[0] == "done"
    dice, counts = random.Random(chosen.seed), {}
    for name, work in works(network).items():
        straight, began = chosen.folder / "straight", time.monotonic()
        shutil.rmtree(straight, ignore_errors=True)
        kind, words = forked.outcome(lambda work=work, folder=straight: work.do(folder), told)  # type: ignore[misc]
        assert kind == "done", words
        seconds, right = time.monotonic() - began, work.left(straight)
        tries = max(1, round(work.share * chosen.count))
        counts[name] = Counter(trial(work, right, seconds, chosen.folder / "killed", dice) for _ in range(tries))
        print(f"{name}: {dict(counts[name])}, undisturbed in {seconds:.1f} s", file=sys.stderr)
    print(forked.show("killed", COLUMNS, counts))
    if chosen.write:
        forked.write("kills", counts, COLUMNS, chosen.seed)
    return int(any(count[bad] for count in counts.values() for bad in BAD))


if __name__ == "__main__":
    sys.exit(main())
