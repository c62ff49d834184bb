"""The script that completes words, as a shell runs it."""

import contextlib
import io
import subprocess
from pathlib import Path

import pytest

from holdfast.cli.verbs import VERBS, main
from tests.cli.saying import said

LINES = {
    "a": {"attack", "audit"},
    "train T": {"TRADES"},
    "train AT --optimizer A": {"Adam", "AdamW"},
    "train AT --epochs 3 --method.attack.threat.e": {"--method.attack.threat.eps"},
    "train TRADES --optimizer.nest": {"--optimizer.nesterov"},
    "train TRADES --augment.p": {"--augment.pad"},
    "train TRADES --held": {"--held-out"},
    "attack PGD net --attack.step-": {"--attack.step-size"},
    "audit net --norm L": {"L0", "L1", "L2", "Linf"},
    "audit net --thr": {"--threat", "--threat.eps", "--threat.norm", "--threat.std"},
    "audit net --threat corr": {"corruptions"},
    "audit net --sev": {"--severities"},
    "audit net --ju": set(),  # the help of --defence names --judge, which is an option of attack alone
    "attack PGD net --ju": {"--judge", "--judge-model"},
    "reproduce d": {"demo"},
    "list p": {"papers"},
    "audit net.py": set(),  # files, which the shell completes itself
}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the script of one shell, with a function that shows what it offers."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["--print-completion", "bash"]) == 0
    path = tmp_path_factory.mktemp("completion") / "holdfast"
    asked = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holdfast; printf "%s\\n" "${COMPREPLY[@]}"\n'
    path.write_text(out.getvalue() + asked)
    return path


@pytest.mark.parametrize("line", LINES)
def test_words_are_completed(line: str, script: Path) -> None:
    asked = ["bash", str(script), "holdfast", *line.split()]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    assert set(filter(None, told.stdout.splitlines())) == LINES[line]


def test_every_verb_is_completed(script: Path) -> None:
    told = subprocess.run(["bash", str(script), "holdfast", ""], capture_output=True, text=True, check=True)
    assert set(VERBS) <= set(told.stdout.splitlines())


@pytest.mark.parametrize(("words", "answer"), [((), "bash"), (("bsh",), "did you mean 'bash'"), (("a", "b"), "zsh")])
def test_shells_that_are_not_known_are_one_line(
    words: tuple[str, ...], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = said(capsys, "--print-completion", *words)
    assert (status, err.count("\n")) == (2, 1)
    assert answer in err
