"""What is handed back when a row of a paper has no network."""

import math
from dataclasses import replace
from pathlib import Path

from holdfast import Linf, Run
from holdfast.attacks import FGSM
from holdfast.experiments import Paper, Scale, Table, Wanted, Workplace, reproduce
from tests.experiments.hand_made import diverged, finished

CALM = Run(data="made-up:1x8x8", epochs=1, limit=64, batch=16)
WILD = replace(CALM, seed=1)


def test_a_row_that_diverged_has_no_pictures_and_the_others_have(tmp_path: Path) -> None:
    place, words, told = Workplace(tmp_path), "the loss became NaN at step 3", list[str]()
    finished(CALM, place)
    diverged(WILD, place, words)
    table = Table("T", {"wild": WILD, "calm": CALM}, {"clean": None}, (0,), test_limit=16)
    paper = Paper("p", "P", {"smoke": Scale()}, {"1": table}, {}, pictures=FGSM(Linf(0.05)))
    done = reproduce(paper, Wanted(), place, lambda step, total, line: told.append(line))
    assert [each.name for each in done.pictures] == ["calm"]
    assert math.isnan(done.results[0].cells["wild"]["clean"].ours[0])
    assert any("wild" in line and f"no pictures: {words}" in line for line in told)
