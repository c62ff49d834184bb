"""Which attack has the next turn: on ledgers whose best turn is known, and on moves whose yield is."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from holdfast import Linf
from holdfast.attacks import Attack
from holdfast.attacks.watched import Watched
from holdfast.auditing.allocation import PROBED, Allocation, Outlook, further
from holdfast.auditing.engine import Begun, Move, Subject, go_on, untold
from holdfast.auditing.ledger import FEWEST, Ledger, Turn, bands_of
from holdfast.rng import Stream
from holdfast.types import Images, Targets


@dataclass(frozen=True)
class Breaks(Attack):
    """Breaks the images whose first pixel lies between two values, at a known cost."""

    labelled: ClassVar[bool] = True

    threat: Linf = Linf(1.0)
    low: float = 0.0
    high: float = 0.0
    cost: int = 10

    def run(self, model: Watched, images: Images, targets: Targets, start: Images | None, stream: Stream) -> Images:
        """Ask so many times, then blacken the last pixel of those."""
        for _ in range(self.cost):
            model(images)
        first = images[:, 0, 0, 0]
        broken = (self.low <= first) & (first < self.high)
        changed = images.clone()
        changed[:, 0, 0, 1] = torch.where(broken, 0.0, images[:, 0, 0, 1])
        return changed


def network(images: Tensor) -> Tensor:
    """Answer right where the last pixel is not black; the margin is the first pixel's, the least first."""
    first, last = images[:, 0, 0, 0], images[:, 0, 0, 1]
    return torch.stack([torch.where(last > 0, 1 + first, -1.0), torch.zeros_like(first)], 1)


@dataclass(frozen=True)
class Mine(Linf):
    """A norm of one's own, derived from L-inf."""


def ended(moves: dict[str, Move], count: int = 400, choose: Allocation = Allocation()) -> Begun:  # noqa: B008
    """Return an ensemble that has come to its end on images whose first pixels are evenly spread."""
    images = torch.ones(count, 1, 1, 2)
    images[:, 0, 0, 0] = torch.linspace(0, 1, count)
    subject = Subject(network, network, images, torch.zeros(count, dtype=torch.int64))
    begun = Begun.of(subject, moves, None, untold)
    go_on(subject, begun, choose)
    return begun


def test_bands_are_ranks_each_twice_as_wide_as_the_one_before() -> None:
    assert torch.bincount(bands_of(60, 60)).tolist() == [8, 16, 32, 4]
    assert torch.bincount(bands_of(1000, 1000)).tolist() == [20, 40, 80, 160, 320, 380]
    assert bands_of(0, 10).tolist() == []


def test_every_probed_attack_is_tried_on_images_of_all_ranks() -> None:
    begun = ended({"a": Move(Breaks(), first="few"), "b": Move(Breaks(), first="few")}, choose=Allocation(passes=0))
    assert begun.progress.ledger.images.tolist() == [400, PROBED, PROBED]
    shown = begun.progress.ledger.shown[1:]
    for row in shown:
        places = row.nonzero()[:, 0]
        assert int(places.diff().max()) <= 400 // PROBED + 1
    assert int((shown[0] & shown[1]).sum()) < PROBED


def test_what_breaks_far_from_the_boundary_is_found_by_the_first_try_and_then_on_all() -> None:
    """A mask: the images that break are not those that came nearest."""
    begun = ended({"useless": Move(Breaks(), first="few"), "good": Move(Breaks(low=0.5, high=0.9), first="few")})
    first = torch.linspace(0, 1, 400)
    assert torch.equal(begun.progress.broken_by == 2, (first >= 0.5) & (first < 0.9))


def test_of_two_attacks_that_break_the_same_the_cheaper_one_does_it() -> None:
    dear, cheap = Breaks(high=0.6, cost=50), Breaks(high=0.6, cost=5)
    begun = ended({"dear": Move(dear, first="few"), "cheap": Move(cheap, first="few")})
    assert int((begun.progress.broken_by == -1).sum()) == 160
    assert int((begun.progress.broken_by == 1).sum()) <= PROBED


def test_it_ends_before_useless_attacks_have_seen_every_image() -> None:
    begun = ended({name: Move(Breaks(), first="few") for name in "abcdef"})
    assert not begun.progress.ledger.shown[1:].all()
    assert further(Outlook.of(begun.moves, begun.progress), float(begun.progress.passes.sum())) < 1


def test_a_sweep_ranks_and_says_nothing_of_the_other_attacks() -> None:
    begun = ended({"sweep": Move(Breaks(high=0.3), first="all")}, choose=Allocation(passes=0))
    assert begun.progress.ledger.images.tolist() == [400, 400]
    assert float(begun.progress.ledger.tries.sum()) == 0


def test_a_turn_is_of_a_few_images_at_least() -> None:
    sizes: list[int] = []

    class Watching(Allocation):
        def __call__(self, moves, progress):  # type: ignore[no-untyped-def]
            turn = super().__call__(moves, progress)
            sizes.append(len(turn.rows) if turn is not None else 0)
            return turn

    ended({name: Move(Breaks(low=0.1, high=0.2), first="few") for name in "abc"}, choose=Watching())
    assert min(sizes[:-1]) >= FEWEST


def test_hits_fade_for_others_and_stay_for_the_attack_itself() -> None:
    ledger, rows, bands = Ledger.blank(3, 8), torch.arange(8), torch.zeros(8, dtype=torch.int64)
    half = torch.arange(8) < 4
    ledger.enter(Turn(0, rows, bands), torch.tensor([True, True, False]), half)
    ledger.enter(Turn(1, rows, bands), torch.tensor([True, True, False]), ~half & half)
    ledger.enter(Turn(2, rows, bands), torch.tensor([False, False, True]), ~half & half)
    assert ledger.hits[:, 0].tolist() == [4, 0, 0]
    assert ledger.hits_for_kind[:, 0].tolist() == [2, 0, 0]
    assert ledger.hits_for_all[:, 0].tolist() == [1, 0, 0]
    assert ledger.tries[:, 0].tolist() == [8, 8, 8]


def test_a_budget_is_overdrawn_where_much_more_would_break_and_ends_all_the_same() -> None:
    choose = Allocation(passes=10)
    assert choose.ends(more=5.0, spent=5000, total=500)
    assert not choose.ends(more=5.0, spent=4999, total=500)
    assert not choose.ends(more=50.0, spent=5000, total=500)
    assert choose.ends(more=50.0, spent=20_000, total=500)
    assert choose.ends(more=0.9, spent=1, total=500)


def test_a_subclass_of_a_norm_is_searched_as_the_norm_is() -> None:
    linf, mine = (
        ended({name: Move(Breaks(threat, low=0.1, high=0.4), first="few") for name in "ab"}).progress.broken_by
        for threat in (Linf(1.0), Mine(1.0))
    )
    assert torch.equal(linf, mine)
