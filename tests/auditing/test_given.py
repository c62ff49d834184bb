"""`hf.audit(model, data, threat)`: the audit of the tensors that the data hold, and what is said of a wrong call."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import holdfast as hf
from holdfast.auditing.given import given
from holdfast.data import StoredImages
from holdfast.errors import BadImages, BadLabels, BadValue, HoldfastError, UsageError

X, Y = torch.rand(12, 1, 8, 8), torch.arange(12) % 10


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()


@pytest.mark.parametrize("data", [DataLoader(TensorDataset(X, Y), 5), hf.ImageSet(X, Y, tuple("0123456789"))])
def test_data_are_read_as_the_tensors_that_they_hold(data: Any) -> None:
    threat = hf.Linf(0.1)
    for arguments in ((data, threat, None), (data, None, threat)):
        images, labels, found = given(network(), *arguments)
        assert torch.equal(images, X)
        assert torch.equal(labels, Y)
        assert found is threat
    assert given(network(), X, Y, threat) == (X, Y, threat)


def test_many_images_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.auditing.given.IN_MEMORY", 12 * 64 * 4 - 1)
    for source in (X, (255 * X).byte()):
        data = hf.ImageSet(source, Y, tuple("0123456789"))
        images, _, _ = given(network(), data, hf.Linf(0.1), None)
        assert isinstance(images, StoredImages)
        assert images.held.data_ptr() == source.data_ptr()
        assert torch.equal(images[:], data.take(torch.arange(12)))


def test_an_audit_takes_a_loader() -> None:
    report = hf.audit(network(), DataLoader(TensorDataset(X, Y), 5), hf.Linf(1.0), effort="fast")
    assert (len(report.broken), report.robust_accuracy) == (12, 0)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        ((DataLoader(TensorDataset(X, Y), 4, shuffle=True), hf.Linf(0.1)), BadImages, "the data shuffle"),
        (([(2 * X - 1, Y)], hf.Linf(0.1)), BadImages, r"images of the data are in \[-"),
        (([(X, Y + 1)], hf.Linf(0.1)), BadLabels, "a label is 10, but the network knows classes 0 to 9"),
        ((X, hf.Linf(0.1)), BadLabels, r"without labels: hf\.audit\(model, images, labels, threat\)"),
        (([(X, Y)],), BadValue, r"the threat is None: give one such as holdfast\.Linf.*hf\.audit\(model, data, threat"),
        (([(X, Y)], hf.Linf(0.1), hf.L2(0.1)), UsageError, "by its name, effort="),
    ],
    ids=["shuffles", "normalised", "labels", "no labels", "no threat", "two threats"],
)
def test_a_wrong_call_is_refused_in_one_line(call: Any, kind: type[HoldfastError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        hf.audit(network(), *call)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("unchecked")
def test_an_effort_in_the_threat_s_place_is_named() -> None:
    with pytest.raises(UsageError, match=r"'fast' after the threat: .*by its name, effort='fast'"):
        hf.audit(network(), [(X, Y)], hf.Linf(0.1), "fast")
