"""Data sets of Hugging Face: by their name on the hub, or a folder that `datasets` has written or can read.

The column of images is found by its type, Image, and that of labels by its type, ClassLabel, which names the classes.
`datasets` is slow to import, and an optional extra: it is imported where it is used.
"""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.data.image_set import ImageSet
from holdfast.data.labelled_pictures import labelled_pictures
from holdfast.data.pairs import LABELS
from holdfast.data.pictures import regular
from holdfast.data.request import Request, expanded
from holdfast.devices import need
from holdfast.errors import BadImages, BadLabels, BadValue, MissingData, UnknownName, printable, reason, require

FORM = "hf:NAME or hf:NAME:SPLIT; NAME is that of the hub, or a folder"
SPLITS = {"train": ("train",), "test": ("test", "validation", "valid", "val")}
"""What a split is called; the first that is there, and has labels, is taken."""


def read(request: Request) -> ImageSet:
    """Return one split, framed."""
    need("datasets")
    name, asked = parted(request.argument)
    require(bool(name), f"'{request.name}' names no data set; write {FORM}", BadValue)
    found = _loaded(request, name)
    split = _split(request, found, asked)
    rows = found[split]
    image, label = _image_column(rows), _label_column(rows)
    labels, classes = _labels(rows), tuple(map(printable, rows.features[label].names))
    require(min(labels, default=0) >= 0, f"split {split} has no labels (-1): name another, as in {FORM}", BadLabels)
    rows = _undecoded(rows, image)
    names = list(map(str, range(len(rows))))
    return labelled_pictures(request, names, InRows(rows, image), labels, classes)


@dataclass(frozen=True)
class InRows:
    """What opens the picture in a row, which is held itself or by its path."""

    rows: Any
    image: str

    def __call__(self, place: str) -> Any:
        """Open the file of a picture."""
        held = self.rows[int(place)][self.image]
        return regular(Path(held["path"])) if held["bytes"] is None else io.BytesIO(held["bytes"])


def parted(argument: str) -> tuple[str, str]:
    """Return the name and the split, which may be left out."""
    name, _, split = argument.partition(":")
    return (argument, "") if expanded(argument).exists() else (name, split)


def _loaded(request: Request, name: str) -> Mapping[str, Any]:
    """Return all splits; nothing is fetched unless that is allowed."""
    import datasets

    local = expanded(name)
    before = datasets.config.HF_HUB_OFFLINE
    datasets.utils.logging.disable_progress_bar()
    try:
        if (local / "state.json").is_file():
            words = "holdfast: hf:%s holds one Dataset and no splits: all of it is read, for training as for testing"
            logging.getLogger("holdfast").warning(words, name)
            return {request.split: datasets.load_from_disk(str(local))}
        if (local / "dataset_dict.json").is_file():
            return dict(datasets.load_from_disk(str(local)))
        datasets.config.HF_HUB_OFFLINE = before or not request.download
        return dict(datasets.load_dataset(str(local) if local.is_dir() else name))
    except Exception as fault:  # of networks, caches, file formats and scripts: they have no common root
        way = "" if request.download or local.is_dir() else "; fetch it with --download"
        raise MissingData(f"hf:{name} cannot be read: {printable(reason(fault))}{way}") from fault
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _split(request: Request, found: Mapping[str, Any], asked: str) -> str:
    """Return the name of the split that is wanted."""
    if asked:
        if asked not in found:
            raise UnknownName(f"split of {request.name}", asked, found)
        return asked
    there = [name for name in SPLITS[request.split] if name in found]
    words = f"{request.name} has no split for '{request.split}', but {', '.join(found)}: write {FORM}"
    require(bool(there), words, MissingData)
    labelled = next(
        (name for name in there if min(found[name][_label_column(found[name])][:], default=0) >= 0), there[0]
    )
    if labelled != there[0]:
        told = "holdfast: %s: split %s has no labels (-1): %s is read"
        logging.getLogger("holdfast").warning(told, request.name, there[0], labelled)
    return labelled


def _image_column(rows: Any) -> str:
    return _column(rows, "Image", ("image", "img", "pixel_values"))


def _label_column(rows: Any) -> str:
    return _column(rows, "ClassLabel", LABELS)


def _labels(rows: Any) -> list[int]:
    return list(rows[_label_column(rows)][:])


def _column(rows: Any, kind: str, usual: tuple[str, ...]) -> str:
    """Return the one column of a type, or that of several which is called as usual."""
    columns = {name: type(feature).__name__ for name, feature in rows.features.items()}
    there = [name for name in columns if columns[name] == kind]
    chosen = there if len(there) == 1 else [name for name in usual if name in there]
    listed = ", ".join(f"{name} ({each})" for name, each in columns.items())
    words = f"the columns are {listed}; one column of the type {kind} is needed"
    fault = BadImages if kind == "Image" else BadLabels
    require(bool(chosen), f"{words}{', or one called ' + usual[0] if there else ''}", fault)
    return chosen[0]


def _undecoded(rows: Any, image: str) -> Any:
    """Return the rows with the bytes of the pictures' files, which holdfast decodes itself."""
    from datasets import Image

    return rows.cast_column(image, Image(decode=False)).with_format(None)
