"""Which attack has the next turn, on which images: what breaks most a pass on this network, as far as it has shown.

The standing images are ranked by how near they came to being wrong and cut into bands, the nearest first, each twice as
wide as the one before. At first every attack is tried on a few images of all ranks, so that none is judged by the
nearest images alone. Then the attack and the band of the highest expected breaks a pass have their turn, again and
again, until as many passes again are expected to break almost nothing.

The success rate that is expected of an attack in a band is its own rate there, mixed with the rate of attacks of its
kind, and that with the recent rate of all attacks; where nothing is known, with shares that are fixed beforehand.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.auditing.engine import Move
from holdfast.auditing.engine_state import Progress
from holdfast.auditing.ledger import BANDS, FEWEST, Ledger, Turn, bands_of
from holdfast.auditing.report import settled_below
from holdfast.threats import L0, L1, L2, Linf, NormalisedLinf, Threat
from holdfast.types import Rows

FIRST_RATE, LEAST_RATE = 0.3, 0.0003
REACH: Mapping[type[Threat], float] = {Linf: 0.05, L2: 0.15, L1: 0.3, L0: 0.3, NormalisedLinf: 0.05}
"""What is expected of an image before anything is known: so much at the boundary, less by a factor of e with each
so many radii of its distance, and so much at least. The fewer values a norm moves, the less a linear estimate tells."""
OTHER = 0.15
"""The reach of a norm of one's own, of which nothing is known."""
FALL = 1 / 3
"""What a band is expected to give of the one before it, before anything is known, where no distance is known."""
BEFOREHAND, DRAWN = 4.0, 8.0
"""As how many tries the expectations count: of beforehand in a band, and of a band or a kind in an attack there."""
PROBED = 16
"""How many images, spread over all ranks, an attack is tried on first."""
CHUNK = 0.25
"""The largest share of all images that one turn takes, so that a rate that falls is noticed."""


MUCH, PATIENCE = 0.02, 4.0
"""A budget is extended to so many times as much where doubling what was spent is expected to break more than this share
of the images."""


@dataclass(frozen=True)
class Allocation:
    """Chooses turns by their yield, until all is settled or the budget is spent; where much more would break, later."""

    passes: float = math.inf
    """The budget an image; the last turn is made to its end."""
    least: float = 0.0
    """The budget in all, however few the images."""

    def ends(self, more: float, spent: float, total: int) -> bool:
        """Whether an ensemble that spent so much, and expects to break so many more of all the images, ends."""
        budget = max(self.passes * total, self.least) * (PATIENCE if more > MUCH * total else 1)
        return spent >= budget or more < settled_below(total)

    def __call__(self, moves: Mapping[str, Move], progress: Progress) -> Turn | None:
        """Return the next turn; None where all is settled, or the passes are spent."""
        if not progress.ledger.shown[0].all():
            rows = progress.standing()
            return Turn(0, rows, torch.zeros(len(rows), dtype=torch.int64), telling=False)
        first = first_try(moves, progress)
        if first is not None:
            return first
        total, spent = len(progress.broken_by), progress.searched
        outlook = Outlook.of(moves, progress)
        return None if self.ends(further(outlook, spent), spent, total) else best_turn(outlook, progress)


def first_try(moves: Mapping[str, Move], progress: Progress) -> Turn | None:
    """Return the turn of a move that sweeps all images, else of one that is tried on a few; None where all were."""
    ranked, total = progress.ranked(), len(progress.broken_by)
    new = [number for number, images in enumerate(progress.ledger.images.tolist()) if images == 0 and len(ranked)]
    for number, move in enumerate(moves.values()):
        if number in new and move.first == "all":
            return Turn(number, ranked, bands_of(len(ranked), total), telling=False)
    return next(
        (
            probe(number, ranked, total)
            for number, move in enumerate(moves.values())
            if number in new and move.first == "few"
        ),
        None,
    )


def probe(number: int, ranked: Rows, total: int) -> Turn:
    """Return images of all ranks for a first try of a move, other ones than of the moves before."""
    bands = bands_of(len(ranked), total)
    if len(ranked) <= PROBED:
        return Turn(number, ranked, bands)
    offset = (number * (math.sqrt(5) - 1) / 2) % 1  # evenly apart, however many moves there are
    places = ((torch.arange(PROBED) + offset) * len(ranked) / PROBED).long()
    return Turn(number, ranked[places.to(ranked.device)], bands[places])


@dataclass(frozen=True)
class Outlook:
    """A row a move, a column a band: the share that is expected to break, and how many images are left to try."""

    rates: Tensor
    left: Tensor
    cost: Tensor
    """Passes an image, by the move."""

    @classmethod
    def of(cls, moves: Mapping[str, Move], progress: Progress) -> "Outlook":
        """Return what may be expected of every move in every band."""
        ledger, ranked = progress.ledger, progress.ranked().cpu()
        bands = bands_of(len(ranked), len(progress.broken_by))
        left = torch.stack([torch.bincount(bands[~shown], minlength=BANDS) for shown in ledger.shown[:, ranked]])
        stated = torch.tensor([move.passes for move in moves.values()], dtype=torch.float64)
        cost = torch.where(ledger.images > 0, progress.passes / ledger.images.clamp_min(1), stated).clamp_min(1)
        left[cost == math.inf] = 0  # these are not for choosing
        reach = reach_of(next(move.attack.threat for move in moves.values() if move.attack is not None))
        first = beforehand(progress.distance(ranked.to(progress.slope.device)).cpu() / reach, bands)
        return cls(rates(ledger, [move.kind for move in moves.values()], cost, first), left.double(), cost)


def reach_of(threat: Threat) -> float:
    """Return the reach of a threat's norm, in radii; that of a subclass is its parent's."""
    return next((reach for norm, reach in REACH.items() if isinstance(threat, norm)), OTHER)


def beforehand(distance: Tensor, bands: Tensor) -> Tensor:
    """Return the share of each band that is expected to break before anything is known, by the images' distances.

    They are in units of the norm's reach; infinity: not known.
    """
    of_rank = FIRST_RATE * FALL ** bands.double()
    each = torch.where(distance.isfinite(), FIRST_RATE * (-distance.double()).exp(), of_rank)
    many = torch.bincount(bands, minlength=BANDS)
    return (torch.bincount(bands, each, minlength=BANDS) / many.clamp_min(1)).clamp_min(LEAST_RATE)


def rates(ledger: Ledger, kinds: Sequence[str], cost: Tensor, first: Tensor) -> Tensor:
    """Return the share that each move, of these kinds, is expected to break in each band; `first` is that at first.

    A try of a short attack says less about a longer one: it counts by the share of its passes, for one of its own kind
    by the root of that.
    """
    weight = (cost / cost[:, None]).clamp_max(1).nan_to_num(1.0)
    tries, hits = weight @ ledger.tries, weight @ ledger.hits_for_all
    of_all = torch.zeros_like(tries)
    surprise = torch.ones_like(cost)  # a band that gave more than was expected of it says so of the next one as well
    for band in range(BANDS):
        prior = first[band] * surprise
        of_all[:, band] = (hits[:, band] + BEFOREHAND * prior) / (tries[:, band] + BEFOREHAND)
        surprise = (of_all[:, band] / first[band]).clamp_min(1)
    weight = weight.sqrt() * torch.tensor([[kind == other for other in kinds] for kind in kinds])
    of_kind = (weight @ ledger.hits_for_kind + DRAWN * of_all) / (weight @ ledger.tries + DRAWN)
    return (ledger.hits + DRAWN * of_kind) / (ledger.tries + DRAWN)


def best_turn(outlook: Outlook, progress: Progress) -> Turn | None:
    """Return the turn that is expected to break most a pass; None where every move has seen every standing image.

    A turn takes all of the nearer bands too that the move has not seen, and is of no less than a few images, where
    there are so many.
    """
    ranked, total = progress.ranked(), len(progress.broken_by)
    gained, many = (outlook.rates * outlook.left).cumsum(1), outlook.left.cumsum(1)
    enough = (many >= FEWEST) | ((many > 0) & (many == many[:, -1:]))
    yields = torch.where(enough, gained / (outlook.cost[:, None] * many.clamp_min(1)), -1.0)
    number, band = divmod(int(yields.argmax()), BANDS)
    if yields[number, band] < 0:
        return None
    bands = bands_of(len(ranked), total)
    chosen = (~progress.ledger.shown[number][ranked.cpu()] & (bands <= band)).nonzero()[:, 0]
    chosen = chosen[: max(FEWEST, math.ceil(CHUNK * total))]
    return Turn(number, ranked[chosen.to(ranked.device)], bands[chosen])


def further(outlook: Outlook, budget: float) -> float:
    """Return how many images so many more passes are expected to break.

    In each band one move is counted, the one that breaks most there: what two of them break is much the same.
    """
    gains, needs = outlook.rates * outlook.left, (outlook.cost[:, None] * outlook.left).nan_to_num(1.0)
    number = (gains * (budget / needs.clamp_min(1)).clamp_max(1)).argmax(0)
    gains, needs = gains[number, torch.arange(BANDS)], needs[number, torch.arange(BANDS)]
    expected = 0.0
    for band in (gains / needs.clamp_min(1)).argsort(descending=True, stable=True).tolist():
        if needs[band] > 0:
            part = min(1.0, budget / float(needs[band]))
            expected, budget = expected + part * float(gains[band]), budget - part * float(needs[band])
    return expected
