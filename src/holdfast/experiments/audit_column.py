"""The audit of a network as outcomes, one row an image, so that a table can hold it beside its attacks."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from holdfast.auditing import audit
from holdfast.auditing.defended import LOOKS, judge_of
from holdfast.data import ImageSet
from holdfast.defences.views import DRAWS
from holdfast.devices import home_of
from holdfast.errors import BadRecord, require
from holdfast.evaluation import Outcomes, judge, read_outcomes, write_outcomes
from holdfast.experiments.columns import Audit
from holdfast.experiments.defended_row import Defended, Row
from holdfast.experiments.seeded_answers import seeded_answers
from holdfast.experiments.trained import Trained
from holdfast.objectives import is_correct
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.measured import here
from holdfast.storage.signed import read_json, write_json
from holdfast.training.loop import Tell
from holdfast.types import Flags, Images, Labels, Logits, Network

BATCH = 250


@dataclass(frozen=True)
class Audited:
    """What an audit found."""

    rows: Outcomes
    """What the network answers to the break of each image, or to the image itself where none was found."""
    doubts: tuple[str, ...]
    """Reasons not to believe it, by name."""


def drawn(row: Row) -> str:
    """Say how the network of a row is judged where its defences draw at random; nothing where none does."""
    defences = row.defences if isinstance(row, Defended) else ()
    return f"{DRAWS} draws, {LOOKS} looks" if any(getattr(each, "random", False) for each in defences) else ""


def audited(
    column: Audit, network: Trained, data: ImageSet, seed: int, folder: Path, tell: Tell, judged: str = ""
) -> Audited:
    """Audit a network, or read what was found; an audit that was interrupted goes on.

    `judged` says how a network that draws at random is judged, as `drawn` does.
    """
    every = torch.arange(min(column.limit or len(data), len(data)), device=data.device)
    data = data.subset(every)
    name = fingerprint([column, seed, data.fingerprint, network.identity, *filter(None, [judged])])
    path, words = folder / f"{name}.safetensors", folder / f"{name}.json"

    def make() -> None:
        images, model = data.take(every), network.load()
        report = audit(model, images, data.labels, column.threat, column.effort, seed, folder=folder / name, tell=tell)
        logits = decided(answered(model, report.adversarial, seed), data.labels.cpu(), report.broken.cpu())
        distance = column.threat.distance(report.adversarial, images).cpu()
        costs = [(stage.seconds, stage.forwards, stage.backwards) for stage in report.stages]
        seconds, forwards, backwards = map(sum, zip(*costs, strict=True))
        stopped = [f"{check.name}: could not run" for check in report.stopped]
        write_json(words, {"name": name, "doubts": [*(doubt.name for doubt in report.doubts), *stopped]})
        spent = (seconds, forwards, backwards)
        write_outcomes(path, Outcomes(logits, data.labels.cpu(), distance, *spent, here(data.device)))

    once(path, make)
    shutil.rmtree(folder / name, ignore_errors=True)  # its checkpoint
    remedy = f"delete it and {path.name}; the audit is made again"
    said = read_json(words, remedy)
    require(said.get("name") == name, f"{words} is of another audit: {remedy}", BadRecord)
    return Audited(read_outcomes(path), tuple(said["doubts"]))


def answered(model: Network, images: Images, seed: int) -> Logits:
    """Return what the network that an audit judges answers, on the processor."""
    judged, there = judge_of(model), home_of(model, images.device)
    with seeded_answers(there, seed):
        return torch.cat([judge(judged, part.to(there)).cpu() for part in images.split(BATCH)])


def decided(logits: Logits, labels: Labels, broken: Flags) -> Logits:
    """Return logits that are right for the images that stand, and no others.

    Of a random network another draw, and of any network another batch, may answer otherwise than the audit saw.
    """
    right, logits = is_correct(logits, labels), logits.clone()
    lost, held = broken & right, ~broken & ~right
    logits[lost, labels[lost]] = -torch.inf
    highest = logits[held].amax(1)
    logits[held, labels[held]] = highest + highest.abs().clamp_min(1)  # 1 more than 1e8 is 1e8 in float32
    return logits
