"""Images that lie on disk or in the host's memory, and come to the device that computes a few at a time."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from holdfast.data.on_demand import ImagesOnDemand
from holdfast.errors import BadImages, require
from holdfast.storage.row_file import RowFile, rows_of_array
from holdfast.types import Images

AT_ONCE = 64
"""How many are looked at together where all have to be."""


@dataclass(frozen=True, eq=False)
class StoredImages:
    """Images for an audit that do not all fit on the device, or not in memory: `stored[rows]` are float32 in [0, 1]."""

    held: Tensor | RowFile | ImagesOnDemand
    """A tensor of the host, which may be mapped to a file, a file, or images on demand: shape (n, c, h, w), bytes or
    float32."""
    count: int
    device: torch.device = torch.device("cpu")
    """Where they come to."""

    def __post_init__(self) -> None:
        """Refuse what is not bytes, nor float32 in [0, 1]."""
        words = f"images have shape {self.shape} and type {self.held.dtype}"
        require(len(self.shape) == 4 and 0 not in self.shape, f"{words}; expected (n, c, h, w)", BadImages)
        known = self.held.dtype in (torch.uint8, torch.float32)
        require(known, f"{words}; expected torch.uint8, or torch.float32 in [0, 1]", BadImages)

    @classmethod
    def of(cls, images: Tensor | ImagesOnDemand, device: torch.device | str = "cpu") -> "StoredImages":
        """Return images of the host, or made there on demand, for a device."""
        held = images.detach() if isinstance(images, Tensor) else images.to("cpu")
        return cls(held, len(images), torch.device(device)).checked()

    @classmethod
    def file(cls, path: Path | str, device: torch.device | str = "cpu") -> "StoredImages":
        """Return the images of a .npy file, shape (n, c, h, w), bytes or float32, for a device.

        Raises:
            MissingData, BadRecord, BadImages: there is no such file, it is another kind, or holds no images.
        """
        rows, count = rows_of_array(Path(path))
        return cls(rows, count, torch.device(device)).checked()

    def checked(self) -> "StoredImages":
        """Return these, once all were looked at: numbers outside [0, 1] are refused."""
        if self.held.dtype == torch.float32 and not isinstance(self.held, ImagesOnDemand):  # its maker looks at them
            for start in range(0, self.count, AT_ONCE):
                low, high = (float(end) for end in self[start : start + AT_ONCE].aminmax())
                require(low >= 0 and high <= 1, f"images are in [{low}, {high}]; expected [0, 1]", BadImages)
        return self

    def __len__(self) -> int:
        return self.count

    @property
    def shape(self) -> tuple[int, ...]:
        """Their number, channels, rows and columns."""
        return (self.count, *(self.held.shape[1:] if isinstance(self.held, Tensor) else self.held.row))

    @property
    def dtype(self) -> torch.dtype:
        """What they are given as."""
        return torch.float32

    def to(self, device: torch.device | str) -> "StoredImages":
        """Return the same images for another device."""
        return replace(self, device=torch.device(device))

    def __getitem__(self, rows: Tensor | slice) -> Images:
        """Return the images at these positions, or those that are marked, on the device."""
        place = torch.arange(self.count)[rows.cpu() if isinstance(rows, Tensor) else rows]
        held = self.held[place] if isinstance(self.held, Tensor) else self.held.read(place)
        return as_float(held.to(self.device))


def as_float(images: Tensor) -> Images:
    """Return bytes as float32 in [0, 1]; float32 as it is."""
    if images.dtype == torch.float32:
        return images
    # A tensor, not a number: a GPU multiplies by 1/255 for a number, and pixels would differ from the CPU's.
    return images.float() / torch.full((), 255.0, device=images.device)
