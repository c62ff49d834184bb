"""How near to the clean images a row's defences bring attacked ones, as a column: no classifier is asked."""

from pathlib import Path

import torch

from holdfast.analysis.likeness import ssim
from holdfast.data import ImageSet
from holdfast.defences import purified
from holdfast.experiments.columns import Likeness
from holdfast.experiments.shared_images import BATCH, shared_images
from holdfast.experiments.trained import Trained
from holdfast.methods.purifier import psnr
from holdfast.storage.files import once
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.measured import Measured, here, said_by, together
from holdfast.storage.signed import read_json, write_json
from holdfast.training.loop import Tell


def likeness(
    column: Likeness, network: Trained, bare: Trained, seed: int, data: ImageSet, folder: Path, tell: Tell
) -> tuple[float, Measured]:
    """Return the mean over the images, from the folder of a workplace where it is known; `bare` has no defences.

    And on what it was measured.
    """
    name = fingerprint([column, seed, data.fingerprint, bare.identity, network.identity])
    path = folder / "likeness" / f"{name}.json"

    def make() -> None:
        every = torch.arange(len(data), device=data.labels.device)
        attacked, measured = data.take(every).cpu(), here(data.labels.device)
        if column.attack is not None:
            shared = shared_images(column.attack, bare, seed, data, folder / "attacked", tell)
            attacked, measured = shared.images, together([shared.measured, measured])
        model, found = network.load(), []
        with torch.no_grad():
            for part, shown in zip(data.batches(BATCH), attacked.split(BATCH), strict=True):
                cleaned = purified(model, shown.to(part.images.device))
                found.append(MEASURES[column.measure](cleaned, part.images).cpu())
        mean = float(torch.cat(found).double().mean())
        write_json(path, {"name": name, "mean": mean, "measured": measured})

    once(path, make)
    said = read_json(path, "delete it; it will be made again")
    return float(said["mean"]), said_by(said.get("measured"))


MEASURES = {"PSNR": psnr, "SSIM": ssim}
