"""What every defence keeps, whoever adds it: shapes, ranges, the classifier's own weights, and what it declares."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from holdfast.defences import DEFENCES, Defence, defend, steps_of, views
from holdfast.errors import BadValue
from holdfast.models import build
from holdfast.storage.describe import describe, restore
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.registry import KINDS
from tests.unchecked import refusals

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
every_defence = pytest.mark.parametrize("kind", DEFENCES.values(), ids=list(DEFENCES))
OF_IMAGES = {name: kind for name, kind in DEFENCES.items() if kind.around is Defence.around}
"""Those that stand in front of a classifier; others work inside it."""
every_defence_of_images = pytest.mark.parametrize("kind", OF_IMAGES.values(), ids=list(OF_IMAGES))
REFUSED = [
    ("BitDepth(bits=0)", "BitDepth: bits = 0, not in [1, 24]"),
    ("BitDepth(bits=128)", "BitDepth: bits = 128, not in [1, 24]"),
    ("JPEG(quality=101)", "JPEG: quality = 101, not in [1, 100]"),
    ("Median(size=1)", "Median: size = 1, not 2 or more"),
    ("Noise(std=0)", "Noise: std = 0, not above 0"),
    ("Noise(largest=-0.1)", "Noise: largest = -0.1, not above 0"),
    ("RandomResizePad(smallest=1.5)", "RandomResizePad: smallest = 1.5, not in (0, 1]"),
    ("SAP(share=0.0)", "SAP: share = 0.0, not above 0"),
    ("TotalVariation(keep=0.0)", "TotalVariation: keep = 0.0, not in (0, 1]"),
    ("TotalVariation(steps=0)", "TotalVariation: steps = 0, not 1 or more"),
]


def classifier() -> nn.Module:
    torch.manual_seed(0)
    network = build("small-cnn", (3, 16, 16), 10).eval()
    nn.init.normal_(list(network.parameters())[-2])  # it begins at zero: no gradient would pass
    return network


@every_defence
def test_answers_are_logits_and_the_classifier_stays_as_it_was(kind: type[Defence]) -> None:
    plain = classifier()
    before = plain(IMAGES)
    defended = defend(plain, kind())
    assert defended(IMAGES).shape == before.shape
    assert torch.equal(plain(IMAGES), before)
    assert len(steps_of(defended)) >= 1
    assert not defended.training


@every_defence
@pytest.mark.parametrize("training", [True, False])
def test_no_network_changes_its_mode_and_the_result_is_at_rest_where_the_classifier_is(
    kind: type[Defence], training: bool
) -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 2))
    purifiers = [nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).train(mode) for mode in (True, False)]
    plain.train(training)[1].eval()
    given = [part for network in (plain, *purifiers) for part in network.modules()]
    before = [part.training for part in given]
    defended = defend(plain, purifiers[0], kind(), purifiers[1])
    assert [part.training for part in given] == before
    assert defended.training == training
    assert all(step.training == training for step in steps_of(defended))
    assert sum(part.training for part in defended.modules() if isinstance(part, nn.BatchNorm2d)) == training
    assert {id(each) for each in defended.parameters()} == {
        id(e) for net in (plain, *purifiers) for e in net.parameters()
    }


@every_defence
def test_it_is_random_only_where_it_says_so(kind: type[Defence]) -> None:
    defended = defend(classifier(), kind())
    torch.manual_seed(1)
    first, second = defended(IMAGES), defended(IMAGES)
    torch.manual_seed(1)
    again = defended(IMAGES)
    assert torch.equal(first, again)
    assert torch.equal(first, second) != kind.random


@every_defence
def test_every_view_shares_weights_and_has_a_gradient_that_leads_somewhere(kind: type[Defence]) -> None:
    plain = classifier()
    defended = defend(plain, kind())
    seen = views(defended, draws=2)
    for name, view in seen.items():
        assert isinstance(view, nn.Module)
        assert {id(each) for each in view.parameters()} <= {id(each) for each in defended.parameters()}, name
        if name == "plain gradients" and not kind.differentiable:
            continue
        x = IMAGES.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(view(x).logsumexp(1).sum(), x)
        assert gradient.isfinite().all(), name
        assert gradient.flatten(1).abs().amax(1).gt(0).all(), name
    assert torch.equal(seen["bare classifier"](IMAGES), plain(IMAGES))


@every_defence
def test_the_straight_through_view_answers_exactly_as_the_network(kind: type[Defence]) -> None:
    defended = defend(classifier(), kind())
    torch.manual_seed(2)
    exact = defended(IMAGES)
    torch.manual_seed(2)
    assert torch.equal(views(defended)["straight through"](IMAGES), exact)


@every_defence_of_images
@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (2, 1, 7, 9), (0, 3, 8, 8), (1, 3, 33, 5)], ids=str)
def test_what_the_classifier_sees_are_images_of_the_same_shape(kind: type[Defence], shape: tuple[int, ...]) -> None:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(3))
    before = images.clone()
    for seen in (kind()(images), kind().stand_in(images)):
        assert seen.shape == images.shape
        assert seen.dtype == torch.float32
        assert ((seen >= 0) & (seen <= 1)).all()
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(4)
        seen = kind()(images)
    torch.manual_seed(4)
    assert torch.equal(seen, kind()(images))
    assert torch.equal(images, before)


@every_defence_of_images
def test_an_image_alone_is_seen_as_in_its_batch(kind: type[Defence]) -> None:
    torch.testing.assert_close(kind().stand_in(IMAGES)[2:3], kind().stand_in(IMAGES[2:3]))
    if not kind.random:
        torch.testing.assert_close(kind()(IMAGES)[2:3], kind()(IMAGES[2:3]))


@every_defence_of_images
def test_the_stand_in_can_be_differentiated(kind: type[Defence]) -> None:
    x = IMAGES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(kind().stand_in(x).square().sum(), x)
    assert gradient.flatten(1).abs().amax(1).gt(0).all()


class Counted(TorchDispatchMode):
    """Counts the operations that are sent to the device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += 1
        return func(*args, **(kwargs or {}))


@every_defence
def test_a_larger_batch_takes_no_more_operations(kind: type[Defence]) -> None:
    defended, counts = defend(classifier(), kind()), []
    for images in (IMAGES[:2], IMAGES.repeat(3, 1, 1, 1)):
        with Counted() as counted, torch.no_grad():
            defended(images)
        counts.append(counted.count)
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("written", "message"), REFUSED, ids=[written for written, _ in REFUSED])
def test_a_field_out_of_its_range_is_refused_in_one_line(written: str, message: str) -> None:
    with pytest.raises(BadValue) as refused:
        eval(written, dict(DEFENCES))
    assert str(refused.value) == message


def test_a_field_of_another_type_is_refused_in_one_line() -> None:
    given = "[lambda: d.BitDepth(1.5), lambda: d.Median('3'), lambda: d.Noise(None), lambda: d.Noise(True)]"
    assert refusals("d = hf.defences; it()", given) == [
        "BitDepth: bits = 1.5: it is a whole number",
        "Median: size = '3': it is a whole number",
        "Noise: std = None: it is a number",
        "Noise: std = True: it is a number",
    ]


def test_every_defence_refuses_something() -> None:
    assert {written.partition("(")[0] for written, _ in REFUSED} == set(DEFENCES)


@every_defence
def test_it_is_written_down_and_read_back(kind: type[Defence]) -> None:
    assert eval(repr(kind()), dict(DEFENCES)) == kind()
    assert restore(describe(kind()), KINDS) == kind()
    assert len({fingerprint(each()) for each in DEFENCES.values()}) == len(DEFENCES)
