"""holdfast audit NETWORK --threat corruptions: the accuracy under common corruptions, of CIFAR-10-C and its like.

Status 0 when the mean accuracy is as high as required, 3 when it is lower.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from holdfast.auditing.corruption_baselines import BASELINES
from holdfast.auditing.corruption_report import CorruptionReport
from holdfast.auditing.corruptions import audit_corruptions
from holdfast.auditing.corruptions_json import corruptions_as_json
from holdfast.auditing.report_json import Origin
from holdfast.cli.audit_verdict import LOWER
from holdfast.cli.parse import Config, Flat, leading, parse
from holdfast.cli.progress import Teller
from holdfast.cli.resolve import Named, Sources, images_for, resolved, seen_by, tell_assumed
from holdfast.data import ImageSet, data_root
from holdfast.data.corrupted import CORRUPTED, SEVERITIES, corruptions_of, usual_of
from holdfast.devices import conditions, device_of, have, on_which, remedy
from holdfast.errors import UnknownName, UsageError, printable, require
from holdfast.report.html_corruptions import corruptions_page
from holdfast.storage.files import alone
from holdfast.storage.signed import write_text
from holdfast.storage.weights_name import name_of_weights

VERB = "audit NETWORK --threat corruptions"


@dataclass(frozen=True)
class Corruptions:
    """Measure how well a network reads images under common corruptions; --data names their set, such as cifar10-c."""

    given: Annotated[Sources, Flat] = field(default_factory=Sources)
    config: Config = None
    severities: tuple[int, ...] = SEVERITIES
    corruptions: tuple[str, ...] = ()
    """The corruptions (default: of the usual fifteen all that are there; where none of them is, all)."""
    baseline: str | None = None
    """The network whose errors the mCE divides by: alexnet, of imagenet-c (default: none, and so no mCE)."""
    require: float | None = None
    """End with status 3 when the mean accuracy is lower than this share."""
    folder: Path = Path("runs/corruptions")
    """The folder for report.html and report.json."""
    json: bool = False
    """Print one JSON object and nothing else."""
    batch: int = 250
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""

    def checked(self) -> tuple[str, tuple[str, ...]]:
        """Return the set and the corruptions; refuse options out of range before anything is computed."""
        require(self.batch >= 1, f"batch = {self.batch}, not 1 or more")
        require(self.require is None or 0 <= self.require <= 1, f"require = {self.require}: a share is from 0 to 1")
        fits = 0 < len(self.severities) == len({*self.severities} & {*SEVERITIES})
        require(fits, f"--severities {' '.join(map(str, self.severities))}: give some of 1 to 5, each once", UsageError)
        if self.baseline is not None and self.baseline not in BASELINES:
            raise UnknownName("baseline", self.baseline, BASELINES)
        data = self.given.data or ""
        wanted = f"--data {data or 'is not given'}: corruptions are of {', '.join(CORRUPTED)}"
        require(data in CORRUPTED, wanted, UsageError)
        root = data_root(self.given.data_root)
        there = corruptions_of(data, root)
        for name in self.corruptions:
            if name not in there:
                raise UnknownName(f"corruption of {data}", name, there)
        return data, self.corruptions or usual_of(data, root)


def named_corruptions(args: Sequence[str]) -> list[str] | None:
    """Return the words without `--threat corruptions`, where they say it; None where they do not.

    Raises:
        UsageError: --threat names something else.
    """
    words = [part for word in args for part in (word.split("=", 1) if word.startswith("--threat=") else [word])]
    if "--threat" not in words:
        return None
    place = words.index("--threat")
    named = " ".join(words[place + 1 : place + 2])
    wanted = f"--threat {named}: corruptions is one; a ball is named by --norm and --threat.eps"
    require(named.lower() == "corruptions", wanted, UsageError)
    return [*words[:place], *words[place + 2 :]]


def run_corruptions(args: Sequence[str], said: Sequence[str]) -> int:
    """holdfast audit NETWORK --threat corruptions [options], those of a file among them; `said` is what was typed."""
    names = leading(args)
    options = parse(Corruptions, VERB, args[len(names) :], Corruptions())
    require(len(names) == 1, f"holdfast {VERB} takes one network, not {len(names)}", UsageError)
    data, wanted = options.checked()
    with redirect_stdout(sys.stderr) if options.json else nullcontext(), alone(options.folder):
        subject = _subject(options, names[0], f"{data}:{wanted[0]}:{options.severities[0]}")
        report = _measured(options, names[0], subject, data, wanted)
    command = printable(shlex.join(["holdfast", "audit", *said]))
    return _told(options, report, _origin(options, subject, data, command))


def _given(options: Corruptions, source: str) -> Sources:
    return replace(options.given, data=source)


def _subject(options: Corruptions, name: str, source: str) -> Named:
    """Return the network, and the images of one corruption that show their shape and classes."""
    found = resolved(_given(options, source), [name])[0].behind(options.given.defences)
    tell_assumed([found])
    return found.to(device_of(options.device))


def _measured(options: Corruptions, name: str, subject: Named, data: str, wanted: Sequence[str]) -> CorruptionReport:
    def load(corruption: str, severity: int) -> ImageSet:
        _, whole = images_for(name, _given(options, f"{data}:{corruption}:{severity}"))
        return seen_by(name, whole).to(subject.data.device)

    with Teller(quiet=options.json) as tell:
        tell(0, 1, f"{subject.name} under corruptions of {data}")
        asked = (load, wanted, options.severities, options.baseline, options.batch, tell)
        return audit_corruptions(subject.model, data, *asked)


def _origin(options: Corruptions, subject: Named, data: str, command: str) -> Origin:
    weights, measured = name_of_weights(subject.model), conditions(subject.data.device)
    of_what = (printable(subject.name), weights, data, subject.data.fingerprint)
    return Origin(*of_what, options.batch, command, measured, subject.assumed, subject.data.framed)


def _told(options: Corruptions, report: CorruptionReport, origin: Origin) -> int:
    """Write the page and the JSON, print what is asked for, and return the status."""
    whole = corruptions_as_json(report, origin)
    write_text(options.folder / "report.json", json.dumps(whole, allow_nan=False, indent=1) + "\n")
    page = options.folder / "report.html"
    if have("report"):
        write_text(page, corruptions_page(report, origin))
    else:
        print(f"holdfast: report.html is not written; it needs an extra: {remedy('report')}", file=sys.stderr)
        page.unlink(missing_ok=True)  # of an earlier audit
    if options.json:
        print(json.dumps(whole, allow_nan=False))
    else:
        about = filter(None, (origin.network, origin.assumed, origin.framed, str(report)))
        there = f"{on_which(origin.conditions)}\nreport: {page if have('report') else page.with_suffix('.json')}"
        print("\n".join(about), there, sep="\n\n")
    low = options.require is not None and report.mean_accuracy < options.require
    if low:
        said = f"{origin.network}: mean accuracy {report.mean_accuracy:.2%}"
        print(f"holdfast: {said}, lower than the required {options.require:.2%}", file=sys.stderr)
    return LOWER if low else 0
