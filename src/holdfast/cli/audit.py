"""holdfast audit NETWORK [OTHER]: estimate the robust accuracy of a network, or compare two.

Status 0 when the robust accuracy is as high as required, 3 when it is lower. `torchrun --nproc-per-node 2 -m
holdfast.cli audit ...` shares the work between processes; the report is the same, and torchrun ends with 1 for any
status that is not 0. `--threat corruptions` is another measurement, with options of its own: `corruptions.py`.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout

import torch

from holdfast.auditing import audit
from holdfast.auditing.defended import judge_of
from holdfast.auditing.given import pixels_of
from holdfast.auditing.launched import barrier, is_main, launched
from holdfast.auditing.report_json import Origin
from holdfast.cli.audit_request import Audit
from holdfast.cli.audit_verdict import Done, tell_without_page, told, written
from holdfast.cli.config import with_config
from holdfast.cli.corruptions import named_corruptions, run_corruptions
from holdfast.cli.kept import folder_of, put_by, telling_if_anew
from holdfast.cli.parse import leading, parse
from holdfast.cli.progress import Teller
from holdfast.cli.resolve import Named, resolved, tell_assumed
from holdfast.cli.seeds import check_seeds, of_seed
from holdfast.devices import conditions, device_of
from holdfast.errors import UsageError, printable, require
from holdfast.experiments.attacked_images import pictures_of
from holdfast.report.html_audit import Audited
from holdfast.storage.describe import short_repr
from holdfast.storage.files import alone
from holdfast.storage.weights_name import name_of_weights
from holdfast.threats import Threat
from holdfast.training.networks import ELSEWHERE

USAGE = f"give one network or two to holdfast audit: a run's folder, a file of weights with --model, {ELSEWHERE}"


def run_audit(args: Sequence[str]) -> int:
    """holdfast audit NETWORK [OTHER] [options]."""
    names, words = leading(args), with_config(args)
    if (without := named_corruptions(words)) is not None:
        return run_corruptions(without, args)
    options = parse(Audit, "audit NETWORK [OTHER]", words[len(names) :], Audit())
    require(1 <= len(names) <= 2, USAGE, UsageError)
    other = options.other_model
    require(other is None or len(names) == 2, f"--other-model {other}: there is no other network", UsageError)
    check_seeds(options.seeds, words)
    options.checked()
    command = printable(shlex.join(["holdfast", "audit", *args]))
    with launched(device_of(options.device)) as device:
        tell_without_page()
        try:
            done = [one_audit(each, names, device, command) for each in options.each_seed()]
        except KeyboardInterrupt:
            if is_main():
                print("holdfast: interrupted; the same command with --resume goes on from here", file=sys.stderr)
            return 130
        # The first alone says 3: torchrun would end it if another did before it has written.
        return told(options, names, done) if is_main() else 0


def one_audit(options: Audit, names: Sequence[str], device: torch.device, command: str) -> Done:
    """Audit the networks with one seed; only the first process writes it down."""
    # What a person's own file prints would break the one object that --json promises.
    aside = redirect_stdout(sys.stderr) if options.json else nullcontext()
    with aside:
        mine = [of_seed(name, options.seed, options.seeds) for name in names]
        given = options.given
        subjects = [each.behind(given.defences) for each in resolved(given, mine, options.other_model)]
        tell_assumed(subjects)
    with kept_alone(options):
        with aside:
            audits = attacked(options, subjects, options.checked(), device, command)
        return (written(options, audits) if is_main() else {}), audits


@contextmanager
def kept_alone(options: Audit) -> Iterator[None]:
    """Keep other audits out of the folder, and put by what the last one began there."""
    with alone(options.folder) if is_main() else nullcontext():
        if is_main():
            put_by(options)
        barrier()  # nobody reads what the first process is still moving
        yield


def attacked(
    options: Audit, subjects: Sequence[Named], threat: Threat, device: torch.device, command: str
) -> list[Audited]:
    """Audit the networks one after the other on a device, to which many images come in batches."""
    audits = []
    with Teller(quiet=options.json or not is_main()) as tell:
        for each in subjects:
            tell(0, 1, f"{each.name} under {short_repr(threat)}, effort {options.effort}")
            model, images, labels = each.model.to(device), pixels_of(each.data, device), each.data.labels.to(device)
            weights = name_of_weights(model)
            search = (threat, options.effort, options.seed, options.batch, folder_of(options))
            telling = telling_if_anew(options, printable(each.name), tell)
            report = audit(model, images, labels, *search, telling, options.precision)
            source, measured = f"{printable(each.source)}, test", conditions(device)
            of_what = (printable(each.name), weights, source, each.data.fingerprint)
            origin = Origin(*of_what, options.batch, command, measured, each.assumed, each.data.framed, each.published)
            audits.append(Audited(report, origin, pictures_of(report, judge_of(model), each.data)))
    return audits
