"""Weights that others saved: their names, what their files leave out, and the normalisation that goes with them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import BadRecord, HoldfastError, UsageError
from holdfast.models import Reading, build
from holdfast.models.normalized import CIFAR10_MEAN
from holdfast.models.weights import Normalisation, load_weights, normalised_by, put
from holdfast.storage.signed import write_tensors
from holdfast.training.networks import network
from holdfast.training.weight_files import of_file, reading

SHAPE = (3, 8, 8)
IMAGES = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model() -> nn.Module:
    return build("cifar-resnet-8", SHAPE, 4).eval()


def written(folder: Path, weights: dict[str, Tensor]) -> str:
    path = folder / "theirs.safetensors"
    write_tensors(path, weights)
    return str(path)


def found(path: str, normalisation: Normalisation | None = None) -> nn.Module:
    return network(path, "cifar-resnet-8", SHAPE, 4, reading=Reading(normalisation=normalisation))


def notes(path: str) -> str:
    """Return what is said of how a file was read."""
    return "; ".join(of_file(Path(path), "cifar-resnet-8", SHAPE, 4, Reading()).notes)


def plain(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights as somebody saves them who normalises elsewhere."""
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("normalized.")}


@pytest.mark.parametrize("prefix", ["module.", "module.model."])
@pytest.mark.parametrize("whole", [True, False])
def test_a_prefix_that_all_names_share_is_taken_away(
    prefix: str, whole: bool, model: nn.Module, tmp_path: Path
) -> None:
    kept = model.state_dict() if whole else plain(model)
    path = written(tmp_path, {f"{prefix}{name}": tensor for name, tensor in kept.items()})
    again = found(path)
    assert torch.equal(again(IMAGES), model(IMAGES))
    assert ("assumed" in notes(path)) is not whole


def test_batches_need_not_be_counted(model: nn.Module, tmp_path: Path) -> None:
    kept = {name: tensor for name, tensor in plain(model).items() if "num_batches" not in name}
    assert len(kept) < len(plain(model))
    assert torch.equal(found(written(tmp_path, kept))(IMAGES), model(IMAGES))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (3, 1, 1), (1, 1, 1, 1), (1, 3, 1, 1)], ids=str)
def test_statistics_that_broadcast_are_taken(shape: tuple[int, ...], model: nn.Module, tmp_path: Path) -> None:
    mean, std = torch.full(shape, 0.25), torch.full(shape, 0.5)
    path = written(tmp_path, {**plain(model), "normalized.mean": mean, "normalized.std": std})
    other = build("cifar-resnet-8", SHAPE, 4, mean=0.25, std=0.5).eval()
    other.load_state_dict(plain(model), strict=False)
    again = found(path)
    assert torch.equal(again(IMAGES), other(IMAGES))
    assert not notes(path)


def test_statistics_of_another_number_of_channels_are_refused(model: nn.Module, tmp_path: Path) -> None:
    odd = {"normalized.mean": torch.zeros(1, 2, 1, 1), "normalized.std": torch.ones(1, 2, 1, 1)}
    with pytest.raises(HoldfastError):
        found(written(tmp_path, {**plain(model), **odd}))


def test_what_is_assumed_is_said_and_can_be_said_otherwise(model: nn.Module, tmp_path: Path) -> None:
    path = written(tmp_path, plain(model))
    words = notes(path)
    assert all(f"{value:.4g}" in words for value in CIFAR10_MEAN)
    bare = build("cifar-resnet-8", SHAPE, 4, mean=0.0, std=1.0).eval()
    bare.load_state_dict(plain(model), strict=False)
    assert torch.equal(found(path, Normalisation((0.0,), (1.0,)))(IMAGES), bare(IMAGES))


def test_weights_come_back_into_the_kind_of_normalisation_that_they_were_saved_with(tmp_path: Path) -> None:
    saved = build("cifar-resnet-8", SHAPE, 4, normalize="per-image").eval()
    path = written(tmp_path, saved.state_dict())
    again = found(path)
    assert torch.equal(again(IMAGES), saved(IMAGES))
    assert not notes(path)
    with pytest.raises(UsageError, match="holds its own normalisation"):
        found(path, Normalisation((0.0,), (1.0,)))


def test_statistics_take_the_place_of_a_normalisation_of_each_image(model: nn.Module) -> None:
    into = build("cifar-resnet-8", SHAPE, 4, normalize="per-image").eval()
    assert torch.equal(put(into, model.state_dict(), "theirs", None)(IMAGES), model(IMAGES))
    into = build("cifar-resnet-8", SHAPE, 4, normalize="per-image").eval()
    given = Normalisation((0.25,), (0.5,))
    assert torch.equal(put(into, plain(model), "theirs", given).normalized(IMAGES), (IMAGES - 0.25) / 0.5)


def test_that_each_image_is_normalised_by_itself_is_said_where_it_is_assumed(model: nn.Module) -> None:
    into = put(build("cifar-resnet-8", SHAPE, 4, normalize="per-image"), plain(model), "theirs", None)
    assert "each image by itself is assumed" in normalised_by(into, held=False, given=False)


def test_a_run_s_network_does_not_take_weights_of_another_kind_of_normalisation(model: nn.Module) -> None:
    other = build("cifar-resnet-8", SHAPE, 4, normalize="per-image")
    with pytest.raises(BadRecord, match=r"it has 'normalized\.per_image', which the network has not"):
        load_weights(model, other.state_dict(), "theirs")
    with pytest.raises(BadRecord, match=r"it has 'normalized\.mean', which the network has not"):
        load_weights(other, model.state_dict(), "theirs")


def test_a_normalisation_goes_before_a_network_that_has_none(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4))\n"
    )
    theirs = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    path = written(tmp_path, theirs.state_dict())
    again = network(
        path, f"{tmp_path / 'mine.py'}:net", SHAPE, 4, reading=Reading(normalisation=Normalisation((0.5,), (0.25,)))
    )
    assert torch.allclose(again(IMAGES), theirs((IMAGES - 0.5) / 0.25), atol=1e-5)


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.5,), ()), ((), (0.5,)), ((0.5,), (0.0,)), ((float("nan"),), (1.0,)), ((0.5, 0.5), (1.0, 1.0))],
    ids=str,
)
def test_a_normalisation_that_is_none_is_refused(
    mean: tuple[float, ...], std: tuple[float, ...], model: nn.Module, tmp_path: Path
) -> None:
    path = written(tmp_path, plain(model))
    with pytest.raises(HoldfastError) as caught:
        found(path, reading([path], mean=mean, std=std).normalisation)
    assert "\n" not in str(caught.value)


def test_a_normalisation_is_for_files_that_hold_none(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds its own normalisation"):
        found(written(tmp_path, model.state_dict()), Normalisation((0.0,), (1.0,)))
    with pytest.raises(UsageError, match="--mean and --std"):
        reading(["timm:resnet18"], mean=(0.0,), std=(1.0,))


def test_another_networks_weights_are_named_by_what_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, {"conv1.weight": torch.zeros(3), "fc.weight": torch.zeros(3)})
    with pytest.raises(BadRecord, match=r"has 'conv1.weight'"):
        found(path)
