"""How well a network reads images that nobody attacked, but that fog, noise or a camera changed."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from holdfast.auditing.corruption_baselines import BASELINES
from holdfast.auditing.corruption_report import CorruptionReport
from holdfast.data import ImageSet, data_root
from holdfast.data import load as load_source
from holdfast.data.corrupted import MAIN, SEVERITIES, usual_of
from holdfast.devices import home_of
from holdfast.errors import BadImages, UnknownName, require
from holdfast.evaluation import judge
from holdfast.metrics import share_of
from holdfast.objectives import is_correct
from holdfast.types import Flags, Network

Load = Callable[[str, int], ImageSet]
"""`(corruption, severity) -> images`, the same ones each time but for what was done to them."""
Tell = Callable[[int, int, str], None]


def audit_corruptions(
    model: Network,
    data: str,
    load: Load | None = None,
    names: Sequence[str] = (),
    severities: Sequence[int] = SEVERITIES,
    baseline: str | None = None,
    batch: int = 250,
    tell: Tell = lambda done, total, words: None,
) -> CorruptionReport:
    """Return how well a network reads the images of a set, such as "cifar10-c", under each corruption.

    `load` gives the images of a corruption and severity (default: as `holdfast.load` finds them); `names` are those of
    the corruptions (default: of the usual fifteen those that are there). With a baseline of `BASELINES`, the report has
    an mCE where all is there that it is over.

    Raises:
        UnknownName: there is no such baseline.
        BadImages: the images under one corruption are not as many as those under another.
    """
    if baseline is not None and baseline not in BASELINES:
        raise UnknownName("baseline", baseline, BASELINES)
    names = names or (usual_of(data, data_root()) if load is None else MAIN)
    of = load or (lambda name, severity: load_source(f"{data}:{name}:{severity}", "test"))
    began, right, count, device = time.monotonic(), dict[str, Tensor](), None, home_of(model)
    for name in names:
        rows = []
        for severity in severities:
            found = of(name, severity).to(device)
            count = count or len(found)
            words = f"{data}:{name}:{severity} has {len(found):,} images, and the first corruption {count:,}"
            require(len(found) == count, words, BadImages)
            rows.append(_right(model, found, batch))
            tell(len(right) * len(severities) + len(rows), len(names) * len(severities), "")
        right[name] = torch.stack(rows)
        tell(0, 0, f"{name}: accuracy {share_of(right[name].flatten()):.2%}")
    return CorruptionReport(data, tuple(severities), right, baseline, time.monotonic() - began)


def _right(model: Network, data: ImageSet, batch: int) -> Flags:
    each = [is_correct(judge(model, part.images), part.labels).cpu() for part in data.batches(batch)]
    return torch.cat(each)
