"""FMN: the paper's loop written plainly, with our difference and without, and adv-lib's."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0, L2, Linf
from holdfast.attacks import FMN
from holdfast.threats import Threat
from tests.attacks.shortest import ALL, NORMS, broken, median, share_of_same, stacked
from tests.oracles import adv_lib


def fmn_by_hand(network: nn.Module, x0: Tensor, label: int, norm: float, steps: int, grows: bool) -> Tensor:
    """Return the shortest break of one image that algorithm 1 of the paper meets, in L2 or L-inf.

    `grows` is our difference: before the first break, too, the radius grows by gamma at least.
    """
    best, shortest, x, eps = x0, math.inf, x0, 0.0
    dual = {2.0: 2.0, math.inf: 1.0}[norm]
    for k in range(steps + grows):  # ours looks at the last point, too
        x = x.clone().requires_grad_()
        logits = network(x[None])[0]
        others = torch.cat([logits[:label], logits[label + 1 :]])
        loss = others.max() - logits[label]
        g = torch.autograd.grad(loss, x)[0]
        cosine = (1 + math.cos(math.pi * k / steps)) / 2
        gamma, alpha = 0.001 + (0.05 - 0.001) * cosine, 0.01 + (1 - 0.01) * cosine
        delta = (x - x0).detach()
        length = float(delta.flatten().norm(p=norm))
        if int(logits.argmax()) != label:
            if length < shortest:
                best, shortest = x.detach(), length
            eps = min(eps * (1 - gamma), shortest)
        elif shortest < math.inf:
            eps *= 1 + gamma
        else:
            eps = max(length + abs(loss.item()) / float(g.flatten().norm(p=dual)), eps * (1 + gamma) if grows else 0)
        eps = min(eps, float(torch.maximum(x0, 1 - x0).flatten().norm(p=norm)))
        delta = delta + alpha * g / g.norm()
        delta = delta.clamp(-eps, eps) if norm == math.inf else delta * min(1.0, eps / float(delta.norm()))
        x = (x0 + delta).clamp(0, 1).detach()
    return best


@pytest.mark.parametrize("norm", [L2, Linf], ids=lambda norm: norm.__name__)
def test_fmn_is_the_plain_loop(norm: type[Threat], network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:10], right[1][:10]
    theirs = stacked(lambda one, label: fmn_by_hand(network, one, label, NORMS[norm], 30, True), images, labels)
    assert share_of_same(FMN(norm(math.inf), steps=30)(network, images, labels), theirs) >= 0.9


@pytest.mark.oracle
@ALL
def test_fmn_finds_what_adv_libs_finds_and_breaks_more(
    norm: type[Threat], network: nn.Module, right: tuple[Tensor, Tensor]
) -> None:
    images, labels = right
    threat = norm(math.inf)
    theirs = adv_lib().fmn(copy.deepcopy(network), images, labels, norm=NORMS[norm], steps=100)
    ours = FMN(threat, steps=100)(network, images, labels)
    assert bool(broken(network, ours, labels).all())
    if norm is L0:
        assert share_of_same(ours, theirs) >= 0.9
    if norm is L2:  # adv-lib stops short of the boundary of most images (see fmn.py): DDN is the judge
        theirs = adv_lib().ddn(copy.deepcopy(network), images, labels, steps=100, levels=None)
    mine, other = median(threat, ours, theirs, images)
    assert mine == pytest.approx(other, rel=0.02)


@pytest.mark.oracle
def test_fmn_without_our_difference_is_adv_libs(network: nn.Module, right: tuple[Tensor, Tensor]) -> None:
    images, labels = right[0][:10], right[1][:10]
    theirs = adv_lib().fmn(copy.deepcopy(network), images, labels, norm=math.inf, steps=30)
    by_hand = stacked(lambda one, label: fmn_by_hand(network, one, label, math.inf, 30, False), images, labels)
    assert share_of_same(by_hand, theirs) >= 0.9
