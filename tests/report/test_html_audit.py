"""The page of an audit: whole, closed, escaped, and with the right images on it."""

import re
from dataclasses import replace
from html import unescape

import pytest
import torch
from torch import nn

from holdfast import L0, ImageSet, Linf, NormalisedLinf, Report
from holdfast.auditing import Stage
from holdfast.auditing.comparison import compare
from holdfast.auditing.engine_state import CLEAN, STANDS
from holdfast.auditing.findings import Check
from holdfast.auditing.report_json import Origin, as_json
from holdfast.auditing.view import View
from holdfast.experiments.attacked_images import pictures_of
from holdfast.passes import Spent
from holdfast.report.html_audit import Audited, audit_page
from holdfast.report.robustness_curve import course, survivors

from .conftest import NASTY
from .test_html_paper import Reader

FATES = [STANDS] * 5 + [2, 1, 1, 2] + [CLEAN] * 3
MARGINS = [-3.0, -0.1, -2.0, -0.5, -9.0, 0.2, 0.3, 0.9, 0.4, 1.0, 1.0, 1.0]


PASSED = Check("passed", 0.001, 0.01, name="wrong gradients", spent=Spent(4000, 321))
STOPPED = Check("could not run", words="KeyError: 'it'", name="random output")


def audit_of(name: str, fates: list[int], *checks: Check) -> Audited:
    """Return a made-up audit of a network that is right on all but the last three images."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(12, 1, 8, 8, generator=generator)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    labels = model(images).argmax(1)
    labels[-3:] = (labels[-3:] + 1) % 3
    stages = (
        Stage("clean", 12, 3, 12, 0, 0.1),
        Stage("sweep & co", 9, 2, 1200, 240, 0.5),
        Stage("last", 7, 2, 0, 0, 1),
    )
    stages = (*stages, Stage("checks", 0, 0, 1234567, 7, 2.0))
    margins, best = torch.tensor(MARGINS), (images + 0.05).clamp_max(1)
    report = Report(Linf(0.1), "fast", 4, images, torch.tensor(fates), stages, checks, NASTY, margins, best)
    command = f"holdfast audit '{name}' --seed 4"
    origin = Origin(name, "abc", "digits, test", "def", 250, command, {"hardware": "2 CPU threads"})
    data = ImageSet(images, labels, ("0", "<b>one</b>", "2"))
    return Audited(report, origin, pictures_of(report, model, data))


@pytest.fixture
def doubted() -> Audited:
    raised = Check("raised", 0.25, 0.02, f"because of {NASTY}", "zero gradients")
    return audit_of(NASTY, FATES, raised, Check("raised", 1.0, 0.5, "y", "x"), PASSED, STOPPED)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_says_what_the_report_does(doubted: Audited) -> None:
    html = audit_page([doubted])
    words = " ".join(read(html).words)
    low, high = doubted.report.interval
    assert "at most 41.67 % robust accuracy, an upper bound" in words
    assert f"95 % interval {100 * low:.2f} % to {100 * high:.2f} %" in words
    for stage in doubted.report.stages:
        assert stage.name in words
    for number in ("75.00 %", "58.33 %", "1,200", "1,234,567", "12 test images", "There are 2 reasons to doubt"):
        assert number in words
    for doubt in doubted.report.doubts:
        assert f"{doubt.name} ({doubt.figure:.4g})" in words
        assert doubt.meaning in words
    for fact in (doubted.origin.command, "2 CPU threads", "weights abc", 'effort="fast", seed=4, batch=250)', NASTY):
        assert fact in words
    for check in doubted.report.checks:
        assert {check.name, check.state, f"{check.passes:,}"} <= set(read(html).words)
    assert STOPPED.words in words


def test_the_page_says_what_eps_counts(doubted: Audited) -> None:
    in_l0 = replace(doubted, report=replace(doubted.report, threat=L0(3)))
    assert "in pixels from 0 to 1" in " ".join(read(audit_page([doubted])).words)
    assert "L0(eps=3), a number of values" in " ".join(read(audit_page([in_l0])).words)
    scaled = replace(doubted, report=replace(doubted.report, threat=NormalisedLinf(0.1, (0.5,))))
    assert "in pixels divided by the deviation of each channel" in " ".join(read(audit_page([scaled])).words)


def test_the_views_of_a_defended_network_stand_beside_the_worst(doubted: Audited) -> None:
    views = (
        View("bare classifier", "nothing <b>", 0.75, 12, 0, 0.1),
        View("straight through", "all", 0.5, 24, 12, 0.1),
    )
    seen = replace(doubted, report=replace(doubted.report, views=views, judged_by="many draws"))
    html = audit_page([seen])
    words = " ".join(read(html).words)
    for said in ("bare classifier 75.00 % 1.0 nothing <b>", "straight through 50.00 % 3.0 all", "33.3 points more",
                 "worst of all, image by image 41.67 %", "judged by many draws"):  # fmt: skip
        assert said in words
    assert "worst of all" not in audit_page([doubted])
    assert 'href="#views-1"' not in audit_page([doubted])


def test_a_page_without_doubts_says_so() -> None:
    words = " ".join(read(audit_page([audit_of("a", FATES, PASSED)])).words)
    assert words.count("nothing is suspicious (1 passed)") == 2
    assert "to doubt" not in words


def test_a_check_that_could_not_run_is_not_nothing() -> None:
    words = " ".join(read(audit_page([audit_of("a", FATES, PASSED, STOPPED)])).words)
    assert "nothing is suspicious" not in words
    assert "One check could not run" in words
    assert words.count("of 2 checks 1 could not run, 1 passed") == 1


def test_a_random_network_is_never_said_to_hold_at_most() -> None:
    """One lucky draw breaks an image for good, so what is left is no bound."""
    audited = audit_of("a", FATES, Check("raised", 0.2, 1e-4, "so", "random output"))
    assert "at most" not in " ".join(read(audit_page([audited])).words)
    assert "at most" not in str(audited.report)
    assert "at random" in as_json(audited.report, audited.origin)["robust_accuracy_is"]


def test_nothing_is_fetched_and_names_are_escaped(doubted: Audited) -> None:
    html = audit_page([doubted])
    assert not re.search(r"https?://|url\(|@import", html)
    for tag, given in read(html).tags:
        assert tag not in ("script", "iframe", "object")
        assert (given.get("src") or "data:").startswith("data:image/") if tag == "img" else "src" not in given
        assert (given.get("href") or "#").startswith(("#", "data:,"))
    assert "<b>" not in html
    assert NASTY in unescape(html)


def test_the_page_can_be_heard_and_its_links_lead_somewhere(doubted: Audited) -> None:
    for audits in ([doubted], [doubted, audit_of("b", FATES[::-1])]):
        tags = read(audit_page(audits)).tags
        assert all(given.get("alt") for tag, given in tags if tag == "img")
        assert {given.get("scope") for tag, given in tags if tag == "th"} == {"col", "row"}
        places = [given["id"] for _, given in tags if "id" in given]
        assert len(places) == len(set(places))
        assert {given["href"] for tag, given in tags if tag == "a"} <= {f"#{place}" for place in places}


def test_two_networks_are_set_beside_each_other() -> None:
    first, second = audit_of("old", FATES), audit_of("new", [*FATES[:4], 1, *FATES[5:]])
    found = compare(first.report, second.report, ("old", "new"))
    words = " ".join(filter(None, read(audit_page([first, second], found)).words))
    assert "old and new compared" in words
    assert f"{found.verdict}." in words
    assert "+8.33 points" in words
    assert f"both robust only old only new neither {found.both} {found.first_only} 0 {found.neither}" in words


@pytest.mark.parametrize("fates", [[STANDS] * 12, [1] * 12, [CLEAN] * 12], ids=["all stand", "none", "never right"])
def test_one_sided_audits_are_pages_too(fates: list[int]) -> None:
    one = audit_of("a", fates)
    assert read(audit_page([replace(one, report=replace(one.report, margin=None))]))


def test_the_curve_goes_through_what_stood_after_each_stage(doubted: Audited) -> None:
    assert course(doubted.report) == [
        ("clean", 1.0, 0.75),
        ("sweep & co", pytest.approx(121.0), pytest.approx(7 / 12)),
        ("last", pytest.approx(121.0), pytest.approx(5 / 12)),
    ]
    svg = survivors({"a": doubted.report})
    assert svg == survivors({"a": doubted.report})
    for word in ("sweep &amp; co", "clean", "images that stand"):
        assert word in svg
    assert "mathdefault" not in svg
    assert NASTY.split()[0] in survivors({"50%": doubted.report, "_b": doubted.report})
    assert "_b" in survivors({"50%": doubted.report, "_b": doubted.report})
