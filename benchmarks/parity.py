"""holdfast's attacks beside other libraries' on one small robust network: do they find the same?

Prints what docs/parity.md holds between its marker lines. What was measured is kept in --folder, so that an interrupted
run goes on; what depends on our code is measured anew when our code changes.
"""

import argparse
from pathlib import Path

import parity_bounded
import parity_minimum
import parity_same
import torch
from parity_setting import Kept, Setting

from holdfast.storage.signed import write_text

PARTS = {
    "Inside a ball": parity_bounded,
    "Without random numbers": parity_same,
    "The shortest way": parity_minimum,
}
BEGIN, END = "<!-- measured: benchmarks/parity.py -->", "<!-- end of measured -->"


def main() -> None:
    """Measure what is not known yet, print the page's part and write it where asked."""
    chosen = arguments()
    torch.set_num_threads(1)
    setting = Setting.prepare(chosen.folder, chosen.images, chosen.seeds)
    kept = Kept(chosen.folder / f"results-{setting.fingerprint()}.json", chosen.fresh)
    parts = [f"## {title}\n\n{part.run(setting, kept, chosen.only)}" for title, part in PARTS.items()]
    text = "\n\n".join([setting.words(), *parts])
    if chosen.write:
        write_text(chosen.write, between(chosen.write.read_text(), text))
    print(text)


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=160, help="the first so many test images (default: 160)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="attacks with this in their name only")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench/parity"))
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="rewrite the measured part of this file")
    chosen = parser.parse_args()
    if chosen.write and chosen.only:
        parser.error("--write wants the whole page: leave --only away")
    return chosen


def between(page: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """Return the page with the text between its marker lines."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


if __name__ == "__main__":
    main()
