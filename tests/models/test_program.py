"""A network written as a program answers as it did, without holdfast."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import defend
from holdfast.defences import BitDepth, Noise
from holdfast.errors import UsageError
from holdfast.models.program import save_program


class Counting(nn.Module):
    """Answers by a loop over the images, which no program holds for another number of them."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([image.flatten() for image in images])


def test_a_defended_classifier_answers_alike_for_any_number_of_images(small: nn.Module, tmp_path: Path) -> None:
    purifier = nn.Conv2d(1, 1, 3, padding=1)
    defended = defend(small, BitDepth(3), purifier)
    save_program(defended, (1, 8, 8), tmp_path / "defended.pt2")
    program = torch.export.load(tmp_path / "defended.pt2").module()
    defended.eval()
    for count in (1, 2, 7):
        images = torch.rand(count, 1, 8, 8)
        assert torch.equal(program(images), defended(images))
    assert list(tmp_path.iterdir()) == [tmp_path / "defended.pt2"]


def test_it_draws_where_the_network_draws_and_leaves_the_mode(small: nn.Module, tmp_path: Path) -> None:
    noisy = defend(small, Noise(0.3)).train()
    small.eval()
    modes = [part.training for part in noisy.modules()]
    save_program(noisy, (1, 8, 8), tmp_path / "noisy.pt2")
    program, images = torch.export.load(tmp_path / "noisy.pt2").module(), torch.rand(3, 1, 8, 8)
    assert [part.training for part in noisy.modules()] == modes
    assert len(set(modes)) == 2
    assert not torch.equal(program(images), program(images))


def test_what_torch_cannot_follow_is_refused_and_no_file_is_left(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Counting"):
        save_program(Counting(), (1, 8, 8), tmp_path / "counting.pt2")
    assert not list(tmp_path.iterdir())
