"""Attack once, measure many: a cell is one evaluation as a value, and its outcomes are kept one row an image.

Whose answers count and whose gradients the attacker has are two names, so white-box, grey-box and transfer are pairs of
names. What is on disk under a cell's fingerprint is read back, never computed again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from holdfast.attacks import Attack
from holdfast.attacks.attack import at_rest, check_untargeted, with_seed
from holdfast.attacks.watched import ask, check_answer, check_labels, in_float32
from holdfast.data import ImageSet
from holdfast.devices import exact_products, home_of
from holdfast.errors import BadRecord, ModelFault, UnknownName, require
from holdfast.objectives import joins_images
from holdfast.passes import counting
from holdfast.storage.behaviour import network_fingerprint
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.measured import Measured, here, of_tensors, together
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.threats import Linf
from holdfast.types import Images, Labels, Logits, Network, PerImage

SAVE_EVERY = 60.0
"""Seconds between two writings of the rows so far; an interrupted evaluation goes on from them."""


@dataclass(frozen=True)
class Cell:
    """One square of the matrix: who is judged, who is attacked, how, and from which seed."""

    judged: str
    attacked: str
    attack: Attack | None
    """None leaves the images as they are."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse an attack towards wanted classes: a cell has the true ones alone."""
        check_untargeted(self.attack, "a cell")


@dataclass(frozen=True)
class Outcomes:
    """What the judged network answered, one row an image."""

    logits: Logits
    labels: Labels
    distance: PerImage
    """How far the attacked image is from the original, in the norm of the attack's threat."""
    seconds: float = 0.0
    forwards: int = 0
    """The forward passes of single images that the attack spent, over all images."""
    backwards: int = 0
    """Its backward passes, likewise."""
    measured: Measured = Measured()
    """The hardware and the versions that they come from."""


def outcomes(
    cell: Cell,
    networks: Mapping[str, nn.Module],
    data: ImageSet,
    folder: Path | str | None = None,
    batch: int = 250,
    tell: Callable[[int, int, str], None] = lambda done, total, words: None,
    before: Callable[[int], None] = lambda done: None,
    identities: Mapping[str, str] | None = None,
) -> Outcomes:
    """Evaluate a cell on a data set, or read what was stored under its fingerprint in `folder`.

    `before` is called before each batch, with the number of images that are done. What is stored is named by the
    networks' `identities`, as `stored_outcomes` reads it; without them, by what each network says of itself. The batch
    is in the name where the attack joins its images, not where the network does, as batch norm without running averages
    does: give such a network a folder for each batch.
    """
    for name in (cell.judged, cell.attacked):
        if name not in networks:
            raise UnknownName("network", name, networks)
    if folder is None:
        return computed(cell, networks, data, None, batch, tell, before)
    if identities is None:
        identities = {name: network_fingerprint(networks[name]) for name in (cell.judged, cell.attacked)}
    path = Path(folder) / f"{name_of_cell(cell, identities, data, batch)}.safetensors"
    part = path.with_suffix(".part")
    once(path, lambda: write_outcomes(path, computed(cell, networks, data, part, batch, tell, before)))
    return _finished(path)


def stored_outcomes(
    cell: Cell, identities: Mapping[str, str], data: ImageSet, folder: Path | str, batch: int = 250
) -> Outcomes | None:
    """Return what `outcomes` stored of a cell, None where nothing is; its networks are given by their identities."""
    path = Path(folder) / f"{name_of_cell(cell, identities, data, batch)}.safetensors"
    return _finished(path) if path.exists() else None


def _finished(path: Path) -> Outcomes:
    with suppress(OSError):  # what is finished is read in a place too where nothing may be removed
        path.with_suffix(".part").unlink()
    return read_outcomes(path)


def computed(
    cell: Cell,
    networks: Mapping[str, nn.Module],
    data: ImageSet,
    part: Path | None,
    batch: int,
    tell: Callable[[int, int, str], None],
    before: Callable[[int], None],
) -> Outcomes:
    """Evaluate a cell, from the rows on that an interrupted evaluation left in `part`."""
    rows = [read_outcomes(part)] if part is not None and part.exists() else []
    done = sum(len(each.labels) for each in rows)
    saved = time.monotonic()
    order = torch.arange(done, len(data), device=data.labels.device)
    there = home_of(networks[cell.judged], data.device)
    measured = here(there)
    for images in data.batches(batch, order) if done < len(data) else ():
        before(done)
        began = time.monotonic()
        new = evaluate(cell, networks, images.images.to(there), images.labels.to(there))
        rows.append(replace(new, seconds=time.monotonic() - began, measured=measured))
        done += len(new.labels)
        tell(done, len(data), "")
        if part is not None and time.monotonic() - saved > SAVE_EVERY:
            write_outcomes(part, _joined(rows))
            saved = time.monotonic()
    return _joined(rows)


def evaluate(cell: Cell, networks: Mapping[str, nn.Module], images: Images, labels: Labels) -> Outcomes:
    """Attack some images and judge the result."""
    attacked = images = images.detach()
    with counting() as spent:
        if cell.attack is not None:
            attacked = with_seed(cell.attack, cell.seed)(networks[cell.attacked], images, labels)
    logits = judge(networks[cell.judged], attacked)
    check_labels(labels, logits)
    threat = cell.attack.threat if cell.attack is not None else Linf(1.0)
    distance = threat.distance(attacked, images).cpu()
    return Outcomes(logits.cpu(), labels.cpu(), distance, forwards=spent.forwards, backwards=spent.backwards)


@torch.no_grad()
def judge(model: Network, images: Images) -> Tensor:
    """Return the float32 logits of the network at rest; NaN is an error, not an answer.

    Who is right in longer numbers is right in these, by the highest logit: rows that rounding would tie there are less
    it. Among the highest few, ties of the others stay.
    """
    with at_rest(model), torch.autocast(images.device.type, enabled=False), exact_products(images.device):
        logits: Tensor = ask(model, images)
    check_answer(logits, images, table=True)
    logits = in_float32(logits)
    faulty = (logits.isnan() | (logits == torch.inf)).any(1)
    if bool(faulty.any()):
        bad = faulty.nonzero().flatten().tolist()
        raise ModelFault(
            f"the network answered NaN or infinity for image {bad[0]} of the batch, one of {len(bad)} such images"
        )
    return logits


def name_of_cell(cell: Cell, identities: Mapping[str, str], data: ImageSet, batch: int) -> str:
    """Return a name made of the cell, every pixel, the networks it speaks of, and the batch where it matters."""
    parts = [cell, data.fingerprint, identities[cell.judged], identities[cell.attacked]]
    joint = cell.attack is not None and (cell.attack.joint or joins_images(getattr(cell.attack, "objective", None)))
    return fingerprint([*parts, batch] if joint else parts)


def _joined(rows: Sequence[Outcomes]) -> Outcomes:
    return Outcomes(
        torch.cat([each.logits for each in rows]),
        torch.cat([each.labels for each in rows]),
        torch.cat([each.distance for each in rows]),
        sum(each.seconds for each in rows),
        sum(each.forwards for each in rows),
        sum(each.backwards for each in rows),
        together(each.measured for each in rows),
    )


def write_outcomes(path: Path, rows: Outcomes) -> None:
    """Write outcomes, whole or not at all."""
    write_tensors(
        path,
        {
            "logits": rows.logits,
            "labels": rows.labels,
            "distance": rows.distance,
            "seconds": torch.tensor(rows.seconds, dtype=torch.float64),
            "forwards": torch.tensor(rows.forwards),
            "backwards": torch.tensor(rows.backwards),
        },
        cell=path.stem,
        measured=rows.measured.word,
    )


def read_outcomes(path: Path) -> Outcomes:
    """Read outcomes back; a file that was damaged, or is another cell's, is named."""
    remedy = "delete it; it will be computed again"
    kept = read_tensors(path, remedy, cell=path.stem)
    missing = sorted({field.name for field in fields(Outcomes)} - {"measured"} - kept.keys())
    require(not missing, f"{path} lacks {', '.join(missing)}: {remedy}", BadRecord)
    return Outcomes(
        kept["logits"],
        kept["labels"],
        kept["distance"],
        float(kept["seconds"]),
        int(kept["forwards"]),
        int(kept["backwards"]),
        of_tensors(path),
    )
