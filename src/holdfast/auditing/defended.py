"""An audit of a defended network: it is attacked as each of its views, then on with the audit through the best of them.

Every view is attacked by the same short attack, on all images that are right when clean, and each attacked image is
judged by the defended network itself. A network whose defences draw at random answers with the mean of many draws,
drawn anew at each look, and an image is wrong where two looks in a row say so.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from holdfast.attacks import ODI, FeatureDistortion
from holdfast.auditing.engine import VIEW, Begun, Move, Subject, Tell, go_on
from holdfast.auditing.engine_state import CLEAN, Progress
from holdfast.auditing.ledger import Turn
from holdfast.auditing.two_climbs import TwoClimbs
from holdfast.auditing.view import FAR, FAR_IMAGES, FEATURES
from holdfast.defences.views import AVERAGED, BARE, DRAWS, PARTLY, PLAIN, STRAIGHT, is_random, steps_of, views
from holdfast.devices import isolated
from holdfast.errors import UsageError
from holdfast.models.expectation import expectation
from holdfast.models.layers import layer_names
from holdfast.objectives import cross_entropy, margin
from holdfast.threats import Threat
from holdfast.types import Network

LOOKS = 2
"""How many looks in a row must find an image of a random network wrong."""
FEATURE_STEPS = 40
"""As many as the two climbs have together."""
LONG = 100
"""Steps of a climb on all that stands."""
PROTOCOL = (
    f"the mean of {DRAWS} random answers, drawn anew at each look: an image is wrong, clean or attacked, where "
    f"{LOOKS} looks in a row say so"
)


def judge_of(model: Network) -> Network:
    """Return the network that is judged: the mean of its draws where its defences draw at random, else itself."""
    return expectation(model, DRAWS) if is_random(model) else model


def looks_of(model: Network) -> int:
    """Return how many looks in a row must find an image wrong."""
    return LOOKS if is_random(model) else 1


def drawn_apart(model: Network, device: torch.device) -> AbstractContextManager[None]:
    """Keep the caller's random state from what random defences draw, and that from the caller's."""
    return isolated(device) if is_random(model) else nullcontext()


def view_moves(model: Network, seen: Mapping[str, Network], threat: Threat) -> dict[str, Move]:
    """Return the moves that attack the views, by their names, the features last."""
    step_size = threat.step(2.5, FEATURE_STEPS)
    features = FeatureDistortion(threat, FEATURE_STEPS, step_size, feature_layers(model))
    attacks = {**dict.fromkeys(seen, TwoClimbs(threat)), FEATURES: features}
    return {name: Move(attack, passes=torch.inf, kind=VIEW) for name, attack in attacks.items()}


def longer_moves(model: Network, threat: Threat, effort: str) -> dict[str, Move]:
    """Return the long climbs with which `fast` ends where there are defences; none on any other network.

    Short climbs stop on the plateaus of what rounds or sorts. The longer efforts have long climbs of their own.
    """
    if effort != "fast" or not steps_of(model):
        return {}
    objectives = {"long climb": margin, "long climb ce": cross_entropy}
    return {
        name: Move(ODI(threat, steps=LONG, objective=objective), passes=torch.inf)
        for name, objective in objectives.items()
    }


def feature_layers(model: Network) -> tuple[str, ...]:
    """Return the layer whose features are moved: the last before the logits, where the network names it alone.

    None, which means the logits, where the mean of many draws is followed: a layer shows one draw.
    """
    with suppress(UsageError):  # several parts name their layers
        if isinstance(model, nn.Module) and not is_random(model) and "penultimate" in layer_names(model):
            return ("penultimate",)
    return ()


@dataclass(frozen=True)
class OnceOnAll:
    """Gives a move one turn on all images that are right when clean; the clean pass one on all."""

    number: int

    def __call__(self, moves: Mapping[str, Move], progress: Progress) -> Turn | None:
        """Return the turn; None where it was taken, or there is no such image."""
        rows = (progress.broken_by != CLEAN).nonzero()[:, 0]
        taken = bool(progress.ledger.shown[self.number].any()) or len(rows) == 0
        return None if taken else Turn(self.number, rows, torch.zeros(len(rows), dtype=torch.int64), telling=False)


def look(
    model: Network,
    subject: Subject,
    moves: Mapping[str, Move],
    threat: Threat,
    folder: Path | str | None,
    tell: Tell,
    effort: str,
) -> tuple[Begun, str, Network]:
    """Attack every view that was not attacked yet; return the audit under way, and the view that it goes on through.

    `subject` has the judge of the defended network `model` for its model.
    """
    seen = views(model, DRAWS)
    begun = Begun.of(subject, {**view_moves(model, seen, threat), **moves}, folder, tell, effort)
    for number, name in enumerate(("clean", *seen, FEATURES)):
        # What is under way is the turn of the first move that was shown nothing, or of one after all of these.
        if not begun.progress.ledger.shown[number].any():
            through = seen.get(name) or seen[best_view(model, tuple(seen), begun.progress)]
            go_on(replace(subject, crafted_on=through), begun, OnceOnAll(number), tell)
    best = best_view(model, tuple(seen), begun.progress)
    costs = DRAWS if best == AVERAGED else 1
    scaled = {name: replace(move, passes=costs * move.passes) for name, move in begun.moves.items()}
    return replace(begun, moves=scaled), best, seen[best]


def best_view(model: Network, names: tuple[str, ...], found: Progress) -> str:
    """Return the view that the attacks follow: the mean of draws, else the gradients that fit what the steps declare.

    Other gradients where they broke clearly more. Never the bare classifier: attacks would stop at its breaks.
    """
    if AVERAGED in names:
        return AVERAGED
    exact = all(step.differentiable for step in steps_of(model))
    first = PARTLY if PARTLY in names else PLAIN if exact else STRAIGHT
    broke = dict(zip(names, found.fell.sum(0).tolist(), strict=False))  # the last column is that of the features
    broke.pop(BARE, None)
    other = max(broke, key=lambda name: broke[name])
    ahead = broke[other] - broke[first]
    return other if ahead >= FAR_IMAGES and ahead > FAR * len(found.fell) else first
