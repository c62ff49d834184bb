"""`hf.audit`: one network, one threat, one honest number."""

from pathlib import Path

from holdfast.audit.autoattack import adversarial, published
from holdfast.audit.ensemble import Move, Subject, Tell, run_moves, untold
from holdfast.audit.verdict import Doubt, Report, Stage
from holdfast.errors import UnknownName, UsageError
from holdfast.threats import Threat
from holdfast.types import Images, Labels, Network

EFFORTS = ("fast", "standard", "thorough", "autoattack")


def audit(
    model: Network,
    images: Images,
    labels: Labels,
    threat: Threat,
    effort: str = "standard",
    seed: int = 0,
    batch: int = 250,
    folder: Path | str | None = None,
    tell: Tell = untold,
) -> Report:
    """Return how many of the images hold under the threat, as far as the effort can tell.

    `autoattack` runs APGD-CE, APGD-T, FAB-T and Square with their published budgets. With a folder, an audit that is
    interrupted goes on where it was.
    """
    if effort not in EFFORTS:
        raise UnknownName("effort", effort, EFFORTS)
    if effort != "autoattack":
        raise UsageError(f"effort '{effort}' is not built yet: give effort='autoattack'")
    moves = {name: Move(attack) for name, attack in published(threat).items()}
    found, stages = run_moves(Subject(model, model, images, labels, seed, batch), moves, folder, tell)
    doubts = tuple(square_beats_gradients(stages, len(images)))
    return Report(threat, effort, seed, adversarial(found, images), found.broken_by, stages, doubts)


def square_beats_gradients(stages: tuple[Stage, ...], count: int) -> list[Doubt]:
    """Doubt a network whose gradients miss what random search finds (as AutoAttack's own check, above 0.2 points)."""
    share = sum(stage.broken for stage in stages if stage.name == "square") / count
    if share <= 0.002:
        return []
    meaning = "random search broke images that no gradient attack did: the gradients mislead, a stronger search may too"
    return [Doubt("black-box beats white-box", share, meaning)]
