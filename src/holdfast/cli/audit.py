"""holdfast audit NETWORK [OTHER]: how robust is a network really, or which of two holds more.

Status 0 when the robust accuracy is as high as required, 3 when it is lower. `torchrun --nproc-per-node 2 -m
holdfast.cli audit ...` shares the work between processes; the report is the same, and torchrun ends with 1 for any
status that is not 0.
"""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout

import torch

from holdfast.auditing import audit
from holdfast.auditing.comparison import compare
from holdfast.auditing.launched import launched, speaks, together
from holdfast.auditing.report_json import Origin, as_json, comparison_as_json
from holdfast.cli.audit_request import Audit
from holdfast.cli.parse import leading, parse
from holdfast.cli.progress import Teller
from holdfast.cli.resolve import Named, resolved, tell_assumed
from holdfast.devices import conditions, device_of, on_which
from holdfast.errors import UsageError, printable, require
from holdfast.evaluation import name_of
from holdfast.experiments.attacked_images import pictures_of
from holdfast.extras import have, remedy
from holdfast.report.audit_page import Audited, apart, audit_page
from holdfast.storage import record
from holdfast.storage.files import alone
from holdfast.threats import Threat

USAGE = (
    "holdfast audit needs a network, or two: a run's folder, a .safetensors file with --model, timm:NAME, "
    "torchvision:NAME or FILE.py:FUNCTION"
)
LOWER = 3
"""The status of a network that is less robust than required."""


def run_audit(args: Sequence[str]) -> int:
    """holdfast audit NETWORK [OTHER] [options]."""
    names = leading(args)
    options = parse(Audit, "audit NETWORK [OTHER]", args[len(names) :], Audit())
    require(1 <= len(names) <= 2, USAGE, UsageError)
    other = options.other_model
    require(other is None or len(names) == 2, f"--other-model {other}: there is no other network", UsageError)
    threat = options.checked()
    command = printable(shlex.join(["holdfast", "audit", *args]))
    # What a person's own file prints would break the one object that --json promises.
    aside = redirect_stdout(sys.stderr) if options.json else nullcontext()
    with launched(device_of(options.device)) as device:
        try:
            with aside:
                subjects = [each.to(device) for each in resolved(options.given, names, options.other_model)]
                tell_assumed(subjects)
            tell_without_page()
            with kept_alone(options):
                with aside:
                    audits = attacked(options, subjects, threat, command)
                # The first alone says 3: torchrun would end it if another did before it has written.
                return written(options, audits) if speaks() else 0
        except KeyboardInterrupt:
            if speaks():
                print("holdfast: interrupted; the same command with --resume goes on from here", file=sys.stderr)
            return 130


def tell_without_page() -> None:
    """Say, where no page can be made, which extra makes one."""
    if speaks() and not have("report"):
        print(f"holdfast: writes report.json, and no page: for one, {remedy('report')}", file=sys.stderr)


@contextmanager
def kept_alone(options: Audit) -> Iterator[None]:
    """Keep other audits out of the folder, and clear away what is not to be gone on with."""
    with alone(options.folder) if speaks() else nullcontext():
        if speaks():
            begin_or_go_on(options)
        together()  # nobody reads what the first process is still clearing away
        yield


def begin_or_go_on(options: Audit) -> None:
    """Clear away what an earlier audit kept; where it is to be gone on with, say if there is nothing."""
    kept = list(options.progress.glob(f"{'[0-9a-f]' * 12}.safetensors"))
    if not options.resume:
        for path in kept:
            path.unlink()
    elif not kept:
        print(f"holdfast: nothing is kept in {options.progress}; the audit begins", file=sys.stderr)


def attacked(options: Audit, subjects: Sequence[Named], threat: Threat, command: str) -> list[Audited]:
    """Audit the networks one after the other."""
    audits = []
    with Teller(quiet=options.json or not speaks()) as tell:
        for each in subjects:
            tell(0, 1, f"{each.name} under {record.brief(threat)}, effort {options.effort}")
            images = each.data.take(torch.arange(len(each.data)))
            search = (threat, options.effort, options.seed, options.batch, options.progress, tell, options.precision)
            report = audit(each.model, images, each.data.labels, *search)
            weights = record.fingerprint_of_tensors(each.model.state_dict())
            source, measured = f"{printable(each.source)}, test", conditions(each.data.device)
            of_what = (printable(each.name), weights, source, name_of(each.data))
            origin = Origin(*of_what, options.batch, command, measured, each.assumed)
            audits.append(Audited(report, origin, pictures_of(report, each.model, each.data)))
    return audits


def written(options: Audit, audits: Sequence[Audited]) -> int:
    """Write the page and the JSON, print one or the other's words, and return the status."""
    names = [each.origin.network for each in audits]
    comparison = compare(audits[0].report, audits[1].report, apart(names)) if len(audits) == 2 else None
    objects = [as_json(each.report, each.origin) for each in audits]
    whole = objects[0] if comparison is None else {
        "first": objects[0], "second": objects[1], "comparison": comparison_as_json(comparison)
    }  # fmt: skip
    record.write_text(options.folder / "report.json", json.dumps(whole, allow_nan=False, indent=1) + "\n")
    page = options.folder / "report.html"
    if have("report"):
        record.write_text(page, audit_page(audits, comparison))
    else:
        page.unlink(missing_ok=True)  # of an earlier audit
    if options.json:
        print(json.dumps(whole, allow_nan=False))
    else:
        said = [
            "\n".join(filter(None, (each.origin.network, each.origin.assumed, str(each.report)))) for each in audits
        ]
        said += [str(comparison)] if comparison is not None else []
        there = on_which(audits[0].origin.conditions)
        print("\n\n".join([*said, f"{there}\nreport: {page if have('report') else page.with_suffix('.json')}"]))
    return status(options, audits)


def status(options: Audit, audits: Sequence[Audited]) -> int:
    """Return 3 where a network is less robust than required, and say so, else 0."""
    low = [each for each in audits if options.require is not None and each.report.robust_accuracy < options.require]
    for each in audits if options.require is not None else ():
        unsure = [check.name for check in each.report.checks if check.state in ("raised", "could not run")]
        if each not in low and unsure:
            said = f"{each.origin.network} is as robust as required, but read these checks: {', '.join(unsure)}"
            print(f"holdfast: {said}", file=sys.stderr)
    for each in low:
        said = f"{each.origin.network}: {each.report.claim}"
        print(f"holdfast: {said}, lower than the required {options.require:.2%}", file=sys.stderr)
    return LOWER if low else 0
