"""The audit of a network as outcomes, one row an image, so that a table can hold it beside its attacks."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast.auditing import audit
from holdfast.data import ImageSet
from holdfast.errors import BadRecord, require
from holdfast.evaluation import Outcomes, judge, read_outcomes, write_outcomes
from holdfast.experiments.columns import Audit
from holdfast.experiments.trained import Trained
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_json, write_json
from holdfast.training.loop import Tell


@dataclass(frozen=True)
class Audited:
    """What an audit found."""

    rows: Outcomes
    """What the network answers to the break of each image, or to the image itself where none was found."""
    doubts: tuple[str, ...]
    """Reasons not to believe it, by name."""


def audited(column: Audit, network: Trained, data: ImageSet, seed: int, folder: Path, tell: Tell) -> Audited:
    """Audit a network, or read what was found; an audit that was interrupted goes on."""
    every = torch.arange(min(column.limit or len(data), len(data)), device=data.device)
    data = data.subset(every)
    name = fingerprint([column, seed, data.fingerprint, network.identity])
    path, words = folder / f"{name}.safetensors", folder / f"{name}.json"

    def make() -> None:
        images, model = data.take(every), network.load()
        report = audit(model, images, data.labels, column.threat, column.effort, seed, folder=folder / name, tell=tell)
        logits = judge(model, report.adversarial).cpu()
        distance = column.threat.distance(report.adversarial, images).cpu()
        spent = [(stage.seconds, stage.forwards, stage.backwards) for stage in report.stages]
        seconds, forwards, backwards = map(sum, zip(*spent, strict=True))
        stopped = [f"{check.name}: could not run" for check in report.stopped]
        write_json(words, {"name": name, "doubts": [*(doubt.name for doubt in report.doubts), *stopped]})
        write_outcomes(path, Outcomes(logits, data.labels.cpu(), distance, seconds, forwards, backwards))

    once(path, make)
    shutil.rmtree(folder / name, ignore_errors=True)  # how far it had come
    remedy = f"delete it and {path.name}; the audit is made again"
    said = read_json(words, remedy)
    require(said.get("name") == name, f"{words} is of another audit: {remedy}", BadRecord)
    return Audited(read_outcomes(path), tuple(said["doubts"]))
