"""What the attacks by queries share: counts, pieces, and fields that are refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf
from holdfast.attacks import JSMA, SPSA, Attack, OnePixel, Square
from holdfast.errors import BadValue
from holdfast.objectives import distance, margin
from holdfast.passes import counting
from tests.attacks.networks import Held, middle


@pytest.mark.parametrize(
    ("attack", "forwards", "backwards"),
    [
        (Square(L2(0.3), queries=9), 1 + 9, 0),
        (Square(L1(1.0), queries=9), 1 + 9, 0),
        (SPSA(L2(0.3), steps=3, samples=37), 3 * (1 + 2 * 37), 0),
        (OnePixel(L0(3), population=7, generations=4), 1 + 7 * (4 + 1), 0),
        (JSMA(L0(9), theta=0.001), 1 + 4, 4),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Attack) else str(value),
)
def test_queries_are_what_is_written(attack: Attack, forwards: int, backwards: int) -> None:
    network, images, labels = Held(75), middle(6, 3, 5, 5), torch.zeros(6, dtype=torch.int64)
    labels[4:] = 1  # wrong from the start: one look each, and returned as they are
    with counting() as spent:
        attacked = attack(network, images, labels)
    assert spent.forwards == 4 * forwards + 2
    assert spent.backwards == 4 * backwards
    assert torch.equal(attacked[4:], images[4:])
    assert bool((attacked[:4] != images[:4]).flatten(1).any(1).all())


@pytest.mark.parametrize("kind", [SPSA, OnePixel])
def test_how_many_images_are_shown_at_once_changes_nothing(kind: type[Attack]) -> None:
    network, images, labels, shown = Held(48), torch.rand(3, 3, 4, 4), torch.zeros(3, dtype=torch.int64), []

    def watched(x: Tensor) -> Tensor:
        shown.append(len(x))
        return network(x)

    threat, fields = (Linf(0.1), {"steps": 3}) if kind is SPSA else (L0(3), {"generations": 3, "population": 20})
    many = kind(threat, **fields)(network, images, labels)
    few = kind(threat, **fields, rows=7)(watched, images, labels)
    assert torch.allclose(many, few, atol=1e-5)
    assert max(shown) == 7


def test_what_is_not_labels_is_climbed_too(small: nn.Module, images: Tensor) -> None:
    clean = small.eval()(images).detach()
    attacks: tuple[Attack, ...] = (
        SPSA(Linf(0.1), steps=3, samples=8, objective=distance),
        OnePixel(L0(3), population=5, generations=2, objective=distance),
    )
    for attack in attacks:
        assert bool((F.mse_loss(small(attack(small, images, clean)), clean, reduction="none").mean(1) > 0).all())


def test_fields_out_of_range_are_refused() -> None:
    for kind, fields in (
        (SPSA, {"samples": 0}),
        (SPSA, {"delta": 0.0}),
        (SPSA, {"rows": 0}),
        (OnePixel, {"population": 2}),
        (OnePixel, {"generations": 0}),
        (OnePixel, {"factor": 1e308}),
        (OnePixel, {"factor": float("nan")}),
        (JSMA, {"theta": 0.0}),
        (JSMA, {"objective": margin}),
    ):
        with pytest.raises(BadValue, match=next(iter(fields))):
            kind(**fields)
