"""Images that lie on the host or on disk are those that an ImageSet holds in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.data import ImageSet, StoredImages
from holdfast.errors import BadImages, BadRecord, MissingData
from holdfast.storage.fingerprint import name_of_tensors

PIXELS = torch.arange(7 * 12, dtype=torch.uint8).view(7, 1, 3, 4)


@pytest.mark.parametrize("kind", ["tensor", "file"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_rows_are_those_of_the_set(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    images = PIXELS if dtype == torch.uint8 else PIXELS.float() / 255
    np.save(tmp_path / "images.npy", images.numpy())
    stored = StoredImages.of(images) if kind == "tensor" else StoredImages.file(tmp_path / "images.npy")
    data = ImageSet(images, torch.zeros(7, dtype=torch.int64), ("a", "b"))
    assert (len(stored), stored.shape) == (7, (7, 1, 3, 4))
    for rows in (torch.tensor([5, 0]), torch.tensor([], dtype=torch.int64)):
        assert torch.equal(stored[rows], data.take(rows))
    assert torch.equal(stored[2:4], data.take([2, 3]))
    assert torch.equal(stored[torch.arange(7) > 4], data.take([5, 6]))
    assert name_of_tensors({"images": stored}) == name_of_tensors({"images": data.take(list(range(7)))})


def test_what_holds_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadImages, match=r"are in \[0\.0, 2\.0\]"):
        StoredImages.of(torch.tensor([0.0, 2.0]).view(2, 1, 1, 1))
    with pytest.raises(BadImages, match=r"shape \(2, 2\)"):
        StoredImages.of(torch.zeros(2, 2))
    with pytest.raises(BadImages, match="float64"):
        StoredImages.of(torch.zeros(2, 1, 1, 1, dtype=torch.float64))
    with pytest.raises(MissingData, match=r"no file .*nowhere\.npy"):
        StoredImages.file(tmp_path / "nowhere.npy")
    (tmp_path / "text.npy").write_text("images")
    with pytest.raises(BadRecord, match=r"text\.npy cannot be read"):
        StoredImages.file(tmp_path / "text.npy")
    np.save(tmp_path / "whole.npy", np.zeros((2, 1, 3, 4), np.int32))
    with pytest.raises(BadRecord, match="int32"):
        StoredImages.file(tmp_path / "whole.npy")
