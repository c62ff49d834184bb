"""holdfast --print-completion bash|zsh: the script by which a shell completes verbs, names and options.

    holdfast --print-completion bash > ~/.local/share/bash-completion/completions/holdfast

The script holds all words, so that a shell need not start Python at each key.
"""

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args, get_type_hints

from holdfast.auditing.schedule import EFFORTS
from holdfast.auditing.surrogate import PRECISIONS
from holdfast.cli.listing import listed
from holdfast.cli.papers import known_papers
from holdfast.cli.parts import ATTACKS, METHODS, PARTS
from holdfast.cli.terminal import wide
from holdfast.data import SOURCES
from holdfast.errors import UnknownName, UsageError, require
from holdfast.models import ARCHITECTURES
from holdfast.papers import PAPERS
from holdfast.report.formats import Format
from holdfast.training.run import Start

Verbs = Mapping[str, Callable[[Sequence[str]], int]]
SHELLS: Mapping[str, str] = {"bash": "", "zsh": "autoload -U +X bashcompinit && bashcompinit\n"}
"""What comes before the script in each shell: zsh learns to read bash's."""
CHOICES: Mapping[str, Iterable[str]] = {
    **{f"--{part}": kinds for part, kinds in PARTS.items()},
    "--data": [name.partition(":")[0] for name in SOURCES if not name.startswith("FILE")],
    "--device": ("auto", "cpu", "cuda"),
    "--effort": EFFORTS,
    "--format": get_args(Format),
    "--model": ARCHITECTURES,
    "--precision": PRECISIONS,
    "--scale": {scale for paper in PAPERS.values() for scale in paper.scales},
    "--threat": ("corruptions",),
    "--takes": get_args(get_type_hints(Start)["takes"]),
}
"""What an option may be, for completion alone: a word that is not here is as good as before."""
WIDE = 120
"""Letters a line of the help that options are read from: it keeps the names of an option in one line, and puts no two
lists of options beside each other."""
OPENING = re.compile(r"^(?:usage: |[ │|] (?=-))(.*?)(?:  |$)", re.MULTILINE)
"""Where a help names options: in its usage, and at the beginning of their lines; the text behind names others."""
OPTION = re.compile(r"(?<![\w.-])--[a-z][a-z0-9.-]*[a-z0-9]")
SCRIPT = """\
_holdfast() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{verbs} --help --version --print-completion"
    elif [[ "$word" == -* ]]; then
        case "${{COMP_WORDS[1]}}" in
{options}
        esac
    else
        case "$before" in
{choices}
        *) if [ "$COMP_CWORD" -eq 2 ]; then
            case "$before" in
{subjects}
            esac
        fi ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -o bashdefault -F _holdfast holdfast
"""


def print_completion(shells: Sequence[str], verbs: Verbs) -> int:
    """Print the script for one shell."""
    require(len(shells) == 1, f"holdfast --print-completion takes one shell: {', '.join(SHELLS)}", UsageError)
    if shells[0] not in SHELLS:
        raise UnknownName("shell", shells[0], SHELLS)
    subjects = {"train": METHODS, "attack": ATTACKS, "reproduce": known_papers(), "list": listed()}
    filled = {
        "options": {verb: options_of(verb, run) for verb, run in verbs.items()},
        "choices": {option: sorted(words) for option, words in CHOICES.items()},
        "subjects": {verb: sorted(words) for verb, words in subjects.items()},
    }
    cases = {name: "\n".join(f"        {_case(*each)}" for each in words.items()) for name, words in filled.items()}
    print(SHELLS[shells[0]] + SCRIPT.format(verbs=" ".join(verbs), **cases), end="")
    return 0


def options_of(verb: str, run: Callable[[Sequence[str]], int]) -> list[str]:
    """Return the options that the help of a verb names, of `train` and `attack` with any of their parts."""
    parts = [(f"--{part}", name) for part in ("optimizer", "schedule", "augment", "average") for name in PARTS[part]]
    lines: Mapping[str, list[tuple[str, ...]]] = {
        "train": [*((name,) for name in METHODS), *(("AT", *part) for part in parts)],
        "attack": [(name,) for name in ATTACKS],
        "audit": [(), ("--threat", "corruptions")],
        "reproduce": [("demo",)],
    }
    said = io.StringIO()
    for words in lines.get(verb, [()]):
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit), wide(WIDE):
            run([*words, "--help"])
    return sorted({option for line in OPENING.findall(said.getvalue()) for option in OPTION.findall(line)})


def _case(word: str, words: Iterable[str]) -> str:
    return f'{word}) words="{" ".join(words)}" ;;'
