"""What attacks, audits and AutoAttack take, and what they refuse in one line: alike, wherever it is given."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import AutoAttack, Linf, audit
from holdfast.attacks import APGD, ODI, PGD, SPSA, Attack, OnePixel, Square, StepLL
from holdfast.errors import BadImages, BadLabels
from holdfast.objectives import difference, targeted_dlr
from holdfast.threats import L0
from tests.unchecked import refusals

THREAT = Linf(0.1)
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
X, Y = torch.rand(6, 1, 4, 4), torch.tensor([0, 1, 0, 1, 1, 0])

CHEAP = AutoAttack(NETWORK, verbose=False, version="custom", attacks_to_run=["apgd-dlr"])
WAYS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "attack": lambda x, y: PGD(THREAT, steps=2)(NETWORK, x, y),
    "without an objective": lambda x, y: StepLL(THREAT)(NETWORK, x, y),
    "audit": lambda x, y: audit(NETWORK, x, y, THREAT, "fast"),
    "AutoAttack": lambda x, y: CHEAP.run_standard_evaluation(x, y),
    "AutoAttack, one by one": lambda x, y: CHEAP.run_standard_evaluation_individual(x, y),
    "clean accuracy": lambda x, y: CHEAP.clean_accuracy(x, y),
}


class Image(torch.Tensor):
    """A tensor as libraries make them."""


class Category(torch.Tensor):
    """Another kind."""


IMAGES = {
    "no rows of pixels": torch.rand(6, 1, 0, 4),
    "no channels": torch.rand(6, 0, 4, 4),
    "no rows, an empty batch": torch.rand(0, 1, 0, 4),
    "sparse": X.to_sparse(),
    "nested": torch.nested.nested_tensor([X[0], X[1]], layout=torch.jagged),
    "float64": X.double(),
    "complex": X.to(torch.complex64),
    "meta": X.to("meta"),
    "NaN": X.where(X > 0.5, torch.nan),
    "infinite": X.where(X > 0.5, torch.inf),
    "above 1": X + 0.5,
}
LABELS = {
    "a column": Y[:, None],
    "one-hot": F.one_hot(Y, 2),
    "one-hot of bools": F.one_hot(Y, 2).bool(),
    "int32": Y.int(),
    "float": Y.float(),
    "below 0": Y - 1,
    "too large": Y + 1,
    "too few": Y[:5],
    "one number": Y[0],
    "sparse": Y.to_sparse(),
    "meta": Y.to("meta"),
}


@pytest.mark.parametrize("way", WAYS)
def test_images_that_no_attack_can_work_on_are_refused(way: str) -> None:
    for name, images in IMAGES.items():
        with pytest.raises(BadImages) as told:
            WAYS[way](images, Y[: len(images)] if not images.is_nested else Y[:2])
        assert "\n" not in str(told.value), name


@pytest.mark.parametrize("way", WAYS)
def test_labels_of_another_kind_are_refused(way: str) -> None:
    for name, labels in LABELS.items():
        with pytest.raises((BadLabels, BadImages)) as told:
            WAYS[way](X, labels)
        assert "\n" not in str(told.value), name


@pytest.mark.parametrize("attack", [APGD(Linf(0.5)), ODI(Linf(0.5)), SPSA(Linf(0.5)), OnePixel(L0(3)), Square(THREAT)])
def test_one_hot_rows_of_two_classes_are_no_pairs(attack: Attack) -> None:
    with pytest.raises(BadLabels, match="argmax"):
        attack(NETWORK, X, F.one_hot(Y, 2))


def test_pairs_are_for_objectives_of_pairs() -> None:
    pairs = torch.stack([Y, 1 - Y], 1)
    for objective in (difference, targeted_dlr):
        assert PGD(THREAT, steps=2, objective=objective)(NETWORK, X, pairs).shape == X.shape
        for labels in (Y, F.one_hot(Y, 3), pairs.float()):
            with pytest.raises(BadLabels):
                PGD(THREAT, steps=2, objective=objective)(NETWORK, X, labels)


@pytest.mark.parametrize("way", WAYS)
def test_subclasses_are_taken_for_what_they_hold(way: str) -> None:
    found = WAYS[way](X.as_subclass(Image), Y.as_subclass(Category))  # type: ignore[arg-type]
    if isinstance(found, Tensor):
        assert type(found) is Tensor
        assert torch.equal(found, WAYS[way](X, Y))  # type: ignore[arg-type]


def test_a_rounding_outside_is_clamped_and_more_is_refused_with_the_figure() -> None:
    near = X.clone()
    near[0, 0, 0, :2] = torch.tensor([-5e-7, 1 + 5e-7])
    assert torch.equal(PGD(THREAT, steps=2)(NETWORK, near, Y), PGD(THREAT, steps=2)(NETWORK, near.clamp(0, 1), Y))
    report = audit(NETWORK, near, Y, THREAT, "fast")
    assert 0 <= float(report.adversarial.min()) <= float(report.adversarial.max()) <= 1
    for value, shown in ((1.00001, "1.00001"), (-2e-5, "-2e-05")):
        near[0, 0, 0, 0] = value
        with pytest.raises(BadImages, match=shown):
            PGD(THREAT)(NETWORK, near, Y)


def test_what_is_no_tensor_network_or_number_is_one_line() -> None:
    """Nothing but holdfast's own errors comes out: `refusals` stops at any other."""
    calls = """[
        lambda: attack(network, None, labels), lambda: attack(network, images.numpy(), labels),
        lambda: attack(network, images, None), lambda: attack(network, images, labels.tolist()),
        lambda: attack(network, images, labels, images.numpy()), lambda: attack(None, images, labels),
        lambda: attack(torch.nn.Flatten, images, labels), lambda: attack("net", images, labels),
        lambda: hf.audit(network, images.tolist(), labels, threat), lambda: hf.audit(network, images, None, threat),
        lambda: hf.audit(None, images, labels, threat), lambda: hf.audit(torch.nn.Linear, images, labels, threat),
        lambda: hf.audit(network, images, labels, threat, None), lambda: hf.audit(network, images, labels, threat, 3),
        lambda: hf.audit(network, images, labels, threat, "fast", 1.5),
        lambda: hf.audit(network, images, labels, threat, "fast", "a"),
        lambda: hf.audit(network, images, labels, threat, "fast", None),
        lambda: hf.audit(network, images, labels, threat, "fast", True),
        lambda: hf.audit(network, images, labels, threat, "fast", 0, 2.5),
        lambda: hf.audit(network, images, labels, threat, "fast", 0, "2"),
        lambda: hf.audit(network, images, labels, threat, "fast", 0, 0),
        lambda: hf.audit(network, images, labels, threat, "fast", 0, 2, 7),
        lambda: hf.AutoAttack(None), lambda: hf.AutoAttack(network, norm=None),
        lambda: hf.AutoAttack(network, seed="a"),
        lambda: hf.AutoAttack(network, version=2), lambda: hf.AutoAttack(network, attacks_to_run="square"),
        lambda: hf.AutoAttack(network).run_standard_evaluation(images, labels.numpy()),
        lambda: hf.AutoAttack(network).run_standard_evaluation(images.numpy(), labels),
        lambda: hf.AutoAttack(network).run_standard_evaluation(images, labels, bs=2.5),
        lambda: hf.attacks.PGD(threat, steps=2.5), lambda: hf.attacks.PGD(threat, steps="3"),
        lambda: hf.attacks.PGD(threat, seed=None), lambda: hf.attacks.PGD(threat, step_size="a"),
        lambda: hf.attacks.PGD(threat, restarts=True), lambda: hf.attacks.PGD(threat, objective="margin"),
        lambda: hf.attacks.Square(threat, queries=1e3), lambda: hf.attacks.PGD(None),
        lambda: hf.SGD(lr="0.1"), lambda: hf.SGD(lr=None),
        lambda: hf.Steps(at=75),
        lambda: hf.methods.TRADES(beta="6"), lambda: hf.methods.Guarded(every=2.5), lambda: hf.data.CropFlip(pad=1.5),
    ]"""
    setting = (
        "network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)); attack = hf.attacks.PGD(threat)"
    )
    said = refusals(f"{setting}; it()", calls)
    assert len(said) == calls.count("lambda")


def test_what_no_run_can_be_made_of_is_one_line() -> None:
    said = refusals(
        "hf.train(hf.Run(**it), '.') if 'run' not in it else hf.train(it['run'], it['folder'])",
        """[dict([each]) for each in [
            ("seed", 1.5), ("seed", "a"), ("seed", None), ("seed", True), ("epochs", 1.5), ("epochs", "2"),
            ("batch", 2.0), ("batch", None), ("limit", 10.0), ("limit", "all"), ("limit", 0), ("held_out", 0.1),
            ("held_out", None),
            ("optimizer", "sgd"), ("optimizer", hf.attacks.PGD), ("schedule", 0.1), ("augment", True), ("data", None),
            ("model", None), ("model", torch.nn.Flatten), ("method", hf.methods.AT), ("method", "AT"),
            ("select", "PGD"),
            ("precision", "float72"), ("precision", None), ("pretrained", "yes"), ("start", "run"),
        ]] + [dict(epochs=None, steps=2.5), dict(run=None, folder="."), dict(run=hf.Run(), folder=None)]""",
    )
    assert len(said) == 30
