"""JSMA: a look at every pair, and its budget."""

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn

from holdfast import L0
from holdfast.attacks import JSMA
from holdfast.objectives import Towards, cross_entropy


def by_brute_force(
    network: nn.Module, image: Tensor, label: int, wanted: int, theta: float, eps: int, reach: bool
) -> Tensor:
    """Return Papernot et al.'s image by a look at every pair, with the Jacobian of the probabilities in float64."""
    x, network = image.double().clone(), copy.deepcopy(network).double()
    free = {i for i in range(x.numel()) if (x.flatten()[i] < 1 if theta > 0 else x.flatten()[i] > 0)}
    for _ in range(eps // 2):
        answer = int(network(x[None]).argmax())
        if (answer == wanted) if reach else (answer != label):
            break
        jacobian = torch.autograd.functional.jacobian(lambda x: network(x[None]).softmax(1)[0], x).flatten(1)
        alpha, beta = jacobian[wanted], jacobian.sum(0) - jacobian[wanted]
        best, chosen = 0.0, None
        for p, q in itertools.combinations(sorted(free), 2):
            a, b = float(alpha[p] + alpha[q]), float(beta[p] + beta[q])
            if ((a > 0 > b) if theta > 0 else (a < 0 < b)) and -a * b > best:
                best, chosen = -a * b, (p, q)
        if chosen is None:
            break
        for i in chosen:
            x.view(-1)[i] = (x.view(-1)[i] + theta).clamp(0, 1)
            free.remove(i)
    return x.float()


@pytest.mark.parametrize("theta", [1.0, 0.3, -1.0])
@pytest.mark.parametrize("reach", [False, True], ids=["leave", "reach"])
def test_jsma_is_the_look_at_every_pair(theta: float, reach: bool) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(18, 12), nn.Tanh(), nn.Linear(12, 4))
    images = (1.4 * torch.rand(12, 2, 3, 3) - 0.2).clamp(0, 1)  # some values are at the wall from the start
    answers = network(images).detach()
    labels, beside = answers.argsort(1, descending=True)[:, :2].unbind(1)
    wanted = answers.argmin(1) if reach else beside
    objective = Towards(cross_entropy) if reach else cross_entropy
    attacked = JSMA(L0(7), theta=theta, objective=objective)(network, images, wanted if reach else labels)
    for place in range(12):
        goal = int(labels[place]), int(wanted[place])
        alone = by_brute_force(network, images[place], *goal, theta, 7, reach)
        assert torch.allclose(attacked[place], alone, atol=1e-6)
    changed = (attacked != images).flatten(1).sum(1)
    assert set(changed.tolist()) <= {0, 2, 4, 6}
    assert int(changed.max()) >= 4


def test_jsma_takes_a_value_that_harms_where_the_pair_helps_and_stops_where_none_does() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    network[1].weight.data = torch.tensor([[0.0, 0.0, 0.0, 0.0], [3.0, -1.0, -2.0, -3.0]])
    network[1].bias.data = torch.tensor([100.0, 0.0])
    attacked = JSMA(L0(4))(network, torch.full((1, 1, 2, 2), 0.5), torch.tensor([0]))
    assert attacked.flatten().tolist() == [1.0, 1.0, 0.5, 0.5]


def test_jsma_does_not_care_how_sure_the_network_is() -> None:
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(20, 1, 4, 4)
    network[1].bias.data -= network(images).detach().mean(0)  # no class wins everywhere
    labels = network(images).argmax(1)
    attacked = JSMA(L0(6))(network, images, labels)
    network[1].weight.data *= 1024
    network[1].bias.data *= 1024
    assert bool((network(images).softmax(1).amin(1) == 0).any())
    assert torch.equal(JSMA(L0(6))(network, images, labels), attacked)
    assert bool((network(attacked).argmax(1) != labels).any())


def test_jsma_goes_on_from_a_start_within_its_budget(trained: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, images, labels = trained
    whole = JSMA(L0(4))(network, images, labels)
    start = JSMA(L0(2))(network, images, labels)
    assert torch.equal(JSMA(L0(2))(network, images, labels, start), start)
    onward = JSMA(L0(4))(network, images, labels, start)
    assert int((onward != images).flatten(1).sum(1).max()) == 4
    assert int((network(onward).argmax(1) != labels).sum()) >= 0.8 * int((network(whole).argmax(1) != labels).sum())
