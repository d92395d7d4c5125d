"""The header of a file of tensors, before the library reads it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from greenexp.assets.tensors import LONGEST_HEADER_B, file_problem, header_problem


def test_a_whole_file_has_no_problem(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "a.safetensors")
    assert file_problem(tmp_path / "a.safetensors") is None


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x00" * 7, struct.pack("<Q", 1) + b"", struct.pack("<Q", 2**63)])
def test_a_header_that_cannot_be_in_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert file_problem(tmp_path / "a") is not None


def test_a_header_that_would_keep_the_library_for_minutes(tmp_path: Path) -> None:
    """The library takes 9 s for these 200,000 tensors of no size."""
    tensors = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(200_000)}
    header = json.dumps(tensors).encode()
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(header)) + header)
    assert file_problem(tmp_path / "a") is not None
    few = struct.pack("<Q", LONGEST_HEADER_B)
    assert header_problem(few, LONGEST_HEADER_B + 8) is None
    assert header_problem(few, LONGEST_HEADER_B + 7) is not None
