"""The nearest of many class boundaries is found with one gradient a class, of which few are held at once."""

import math
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from holdfast import L2, Linf
from holdfast.attacks import FAB, Attack, DeepFool, SuperDeepFool
from holdfast.attacks.deepfool import nearest_boundary
from holdfast.attacks.watched import Watched

HELD = 3
"""The gradient that comes in, and the nearest one before and after it was compared."""


def network(classes: int) -> nn.Module:
    """Return a small network, and no round one."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, classes)).eval()


@pytest.mark.parametrize("threat", [Linf(math.inf), L2(math.inf)], ids=str)
def test_the_nearest_boundary_is_that_of_all_gradients_at_once(threat: Linf | L2) -> None:
    model, images, labels = network(6), torch.rand(5, 1, 8, 8), torch.arange(5)
    found, _ = nearest_boundary(Watched(model, labels), images, labels, threat.dual)

    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        copies = image.expand(6, -1, -1, -1).clone().requires_grad_()
        gaps = (logits := model(copies)).diagonal() - logits[:, label]
        all_at_once = torch.autograd.grad(gaps.sum(), copies)[0]
        away = (gaps.abs() / threat.dual(all_at_once).clamp_min(1e-12)).index_fill(0, label[None], torch.inf)
        assert int(found.k[place]) == int(away.argmin())
        torch.testing.assert_close(found.w[place], all_at_once[found.k[place]])


MEMBERS = (FAB(steps=1), DeepFool(steps=1, candidates=60), SuperDeepFool(steps=1, deepfool_steps=1, candidates=60))


@pytest.mark.parametrize("attack", MEMBERS, ids=lambda attack: type(attack).__name__)
def test_the_gradients_held_do_not_grow_with_the_classes(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    most = {classes: gradients_held(attack, classes, monkeypatch) for classes in (8, 60)}
    assert most[60] == most[8] <= HELD


def gradients_held(attack: Attack, classes: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many of the gradients that an attack was given were alive at once."""
    alive: list[weakref.ref[Tensor]] = []
    most = 0
    own: Callable[..., Tensor] = Watched.gradient

    def watched(*args: object, **options: object) -> Tensor:
        nonlocal most
        found = own(*args, **options)
        alive.append(weakref.ref(found))
        most = max(most, sum(each() is not None for each in alive))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Watched, "gradient", watched)
        model, images = network(classes), torch.rand(3, 1, 8, 8)
        attack(model, images, model(images).argmax(1))
    return most
