"""How far an audit has come is read back as it was written, or refused."""

from pathlib import Path

import pytest
import torch

from holdfast.auditing.engine_state import begin, read, write
from holdfast.auditing.ledger import Turn
from holdfast.errors import BadRecord


def test_progress_comes_back(tmp_path: Path) -> None:
    images = torch.rand(5, 1, 2, 2)
    progress = begin(images, 2)
    progress.turn = Turn(0, torch.arange(5), torch.zeros(5, dtype=torch.int64))
    progress.broken_by[2], progress.spent[0] = 0, [5.0, 0.0, 0.25]
    progress.end(torch.tensor([True, False]))
    progress.turn = Turn(1, torch.tensor([4, 0]), torch.tensor([0, 1]), telling=False)
    progress.done, progress.step = 1, 1
    (tmp_path / f".a.safetensors.{2**22 + 1}").touch()  # of a process that was killed
    write(tmp_path / "a.safetensors", progress)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    back = read(tmp_path / "a.safetensors", images)
    assert torch.equal(back.broken_by, progress.broken_by)
    assert torch.equal(back.best, images)
    assert (back.spent, back.done, back.step) == ([[5.0, 0.0, 0.25], [0.0] * 3], 1, 1)
    assert (back.turn.move, back.turn.rows.tolist(), back.turn.bands.tolist()) == (1, [4, 0], [0, 1])
    assert not back.turn.telling
    for name, table in progress.ledger.tensors().items():
        assert torch.equal(back.ledger.tensors()[name], table), name
    assert back.ledger.shown.tolist() == [[True] * 5, [False] * 5]


def test_progress_with_one_bit_changed_or_of_another_audit_is_refused(tmp_path: Path) -> None:
    images = torch.rand(5, 1, 2, 2)
    write(tmp_path / "a.safetensors", begin(images))
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "b.safetensors").write_bytes(whole)
    with pytest.raises(BadRecord, match=r"b\.safetensors was written for another audit"):
        read(tmp_path / "b.safetensors", images)
    for spot in range(0, len(whole), len(whole) // 40):
        (tmp_path / "a.safetensors").write_bytes(whole[:spot] + bytes([whole[spot] ^ 1]) + whole[spot + 1 :])
        with pytest.raises(BadRecord, match=r"a\.safetensors .*: delete it; the audit will begin again"):
            read(tmp_path / "a.safetensors", images)
