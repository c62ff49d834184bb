"""What audits keep in a folder to go on from: an audit begins in an empty folder beside that, and nothing is lost.

Checkpoints lie in FOLDER/progress, under a name of all that an audit is of. One that does not go on begins in
FOLDER/progress/begun, and the next audit puts what is there among the others; of the same audit the last one counts.
"""

import sys
from pathlib import Path

from holdfast.auditing.engine import Tell
from holdfast.auditing.launched import is_main
from holdfast.cli.audit_request import Audit

NAME = "[0-9a-f]" * 12
BEGUN = "begun"


def folder_of(options: Audit) -> Path:
    """Return the folder of the checkpoints of this audit."""
    return options.progress if options.resume else options.progress / BEGUN


def put_by(options: Audit) -> None:
    """Put what an earlier audit began among all that is kept, so that another begins in an empty folder."""
    begun = options.progress / BEGUN
    for checkpoint in begun.glob(f"{NAME}.safetensors"):
        there, points = options.progress / checkpoint.name, checkpoint.with_suffix(".points")
        there.unlink(missing_ok=True)  # a checkpoint never stands beside the points of another
        if points.exists():
            points.replace(there.with_suffix(".points"))
        checkpoint.replace(there)
    for points in begun.glob(f"{NAME}.points"):
        points.unlink()  # of an audit that was killed before its first checkpoint


def telling_if_anew(options: Audit, name: str, tell: Tell) -> Tell:
    """Return what tells all that an audit tells, and first that it begins where it was to go on."""
    silent = not options.resume or not is_main()

    def told(done: int, total: int, words: str) -> None:
        nonlocal silent
        if not silent and not words.startswith("resumed"):
            print(f"holdfast: nothing of the audit of {name} is kept in {options.progress}; it begins", file=sys.stderr)
        silent = True
        tell(done, total, words)

    return told
