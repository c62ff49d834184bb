"""Attacks on a network together with its auxiliary heads: what they follow, who is fooled, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.attacks import APGD, FGSM, PGD
from holdfast.errors import BadLabels, ModelFault
from holdfast.models import WithAuxiliary, build
from holdfast.objectives import Joint, Towards, cross_entropy, divergence, summed_margin

THREAT = Linf(0.1)


class Heads(nn.Module):
    """Logits (x1, 0) of the first pixel, and those of two heads: (x2, 0) and (0, x2) times three."""

    def forward(self, images: Tensor) -> Tensor:
        first, second = images.flatten(1).unbind(1)
        zero = torch.zeros_like(first)
        rows = [torch.stack([first, zero], 1), torch.stack([second, zero], 1), torch.stack([zero, 3 * second], 1)]
        return torch.stack(rows, 1)


def images() -> Tensor:
    return torch.full((2, 1, 1, 2), 0.5)


def test_the_step_follows_the_weighted_sum() -> None:
    labels = torch.tensor([0, 0])
    # Label 0 is hurt by less of the first pixel; of the heads the first is by less of the second, the other by more.
    found = FGSM(THREAT, objective=Joint(cross_entropy, 2.0))(Heads(), images(), labels)
    torch.testing.assert_close(found, torch.tensor([0.4, 0.6]).expand(2, 1, 1, 2))
    found = FGSM(THREAT, objective=Towards(Joint(cross_entropy, 2.0)))(Heads(), images(), labels)
    torch.testing.assert_close(found, torch.tensor([0.6, 0.4]).expand(2, 1, 1, 2))


@pytest.mark.parametrize("restarts", [1, 2])
def test_pgd_raises_the_joint_loss_of_a_network_with_suppression(restarts: int) -> None:
    torch.manual_seed(0)
    model = WithAuxiliary(build("wrn-10-1-cas", (3, 8, 8), 4)).train()
    clean, labels, objective = torch.rand(4, 3, 8, 8), torch.arange(4), Joint(cross_entropy, 2.0)
    found = PGD(THREAT, steps=5, objective=objective, restarts=restarts)(model, clean, labels)
    assert all(part.training for part in model.modules())
    model.eval()
    with torch.no_grad():
        assert (objective(model(found), labels) > objective(model(clean), labels)).all()
        answers = model(clean)
    away = PGD(THREAT, steps=5, objective=Joint(divergence, 2.0))(model, clean, answers)
    with torch.no_grad():
        assert (Joint(divergence, 2.0)(model(away), answers) > 1e-4).all()


def test_an_image_is_fooled_where_its_logits_are_not_where_a_head_is() -> None:
    # APGD stops at images that are fooled; the heads are wrong from the beginning and do not count.
    found = APGD(THREAT, steps=5, objective=Joint(cross_entropy, 2.0))(Heads(), images(), torch.tensor([0, 0]))
    torch.testing.assert_close(found[:, 0, 0, 0], torch.tensor([0.4, 0.4]))


def test_the_cw_of_cas_attacks_a_batch() -> None:
    labels = torch.tensor([0, 0])
    found = PGD(THREAT, steps=3, random_start=False, objective=Joint(summed_margin, 2.0))(Heads(), images(), labels)
    torch.testing.assert_close(found, torch.tensor([0.4, 0.4]).expand(2, 1, 1, 2))


def test_a_network_without_heads_and_a_label_without_a_class_are_one_line() -> None:
    plain = build("wrn-10-1", (3, 8, 8), 4)
    attack = PGD(THREAT, objective=Joint(cross_entropy, 2.0))
    with pytest.raises(ModelFault, match=r"Joint needs outputs of shape .* not \(2, 4\)") as caught:
        attack(plain, torch.rand(2, 3, 8, 8), torch.tensor([0, 1]))
    assert "\n" not in str(caught.value)
    with pytest.raises(BadLabels, match="a label is 2, but the network knows classes 0 to 1"):
        attack(Heads(), images(), torch.tensor([0, 2]))
    with pytest.raises(ModelFault, match=r"logits of shape \(images, classes\)"):
        PGD(THREAT)(Heads(), images(), torch.tensor([0, 1]))
