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
from holdfast.storage.signed import read_json, write_json
from holdfast.training.loop import Tell


def likeness(
    column: Likeness, network: Trained, bare: Trained, seed: int, data: ImageSet, folder: Path, tell: Tell
) -> float:
    """Return the mean over the images, from the folder of a workplace where it is known; `bare` has no defences."""
    name = fingerprint([column, seed, data.fingerprint, bare.identity, network.identity])
    path = folder / "likeness" / f"{name}.json"

    def make() -> None:
        every = torch.arange(len(data), device=data.labels.device)
        attacked = data.take(every).cpu()
        if column.attack is not None:
            attacked = shared_images(column.attack, bare, seed, data, folder / "attacked", tell).images
        model, found = network.load(), []
        with torch.no_grad():
            for part, shown in zip(data.batches(BATCH), attacked.split(BATCH), strict=True):
                cleaned = purified(model, shown.to(part.images.device))
                found.append(MEASURES[column.measure](cleaned, part.images).cpu())
        write_json(path, {"name": name, "mean": float(torch.cat(found).double().mean())})

    once(path, make)
    return float(read_json(path, "delete it; it will be made again")["mean"])


MEASURES = {"PSNR": psnr, "SSIM": ssim}
