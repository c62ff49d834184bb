"""How long work is shown: a bar that only grows on a terminal, lines with the rate and the time left elsewhere."""

import sys

import pytest

from holdfast.cli.progress import Teller


class Clock:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_the_bar_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    tell, shown = Teller(), []
    assert tell.bar is not None
    for done, total in ((4, 8), (8, 8), (8, 8), (250, 500), (500, 500), (10, 500), (3, 7)):
        tell(done, total, "")
        tell(0, 1, "words beside the work")
        task = tell.bar.tasks[0]
        shown.append((task.completed, task.total))
    assert shown == [(4, 8), (8, 8), (16, 16), (266, 516), (516, 516), (526, 1016), (529, 533)]


def test_lines_have_the_rate_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    tell = Teller(clock=clock)
    for done, clock.now in ((100, 1.0), (200, 11.0), (300, 21.0), (310, 22.0), (500, 41.0)):
        tell(done, 1000, "")
    for done, clock.now in ((1, 60.0), (2, 180.0)):  # another piece of work, slower
        tell(done, 4, "")
    assert capsys.readouterr().err.splitlines() == [
        "  300 of 1000, 10.0 a second, 0:01:10 left",
        "  500 of 1000, 10.0 a second, 0:00:50 left",
        "  1 of 4",
        "  2 of 4, 0.5 a minute, 0:04:00 left",
    ]


def test_what_goes_on_from_a_file_is_no_faster_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    tell = Teller(clock=clock)
    for done, clock.now in ((900, 1.0), (920, 21.0)):
        tell(done, 1000, "")
    assert capsys.readouterr().err == "  920 of 1000, 1.0 a second, 0:01:20 left\n"
