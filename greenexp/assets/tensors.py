"""A file of tensors (safetensors), looked at before the library reads it.

    8 bytes: the length of the header, little-endian | the header, JSON | the tensors

The library's time grows with the square of the number of tensors that a header names, so a header of a few megabytes
keeps it for half a minute.
"""

from __future__ import annotations

from pathlib import Path

from greenexp.units import format_quantity

LONGEST_HEADER_B = 2_000_000
"""Some 20,000 tensors; the largest encoders have 600."""
_PREFIX_B = 8


def header_problem(start: bytes, size_b: int) -> str | None:
    """Why a file of `size_b` bytes whose first bytes are `start` (at least 8 of them) should not be read; None if not.

    >>> header_problem((500).to_bytes(8, "little"), 100)
    'its header is said to have 500 bytes, but the file has 100'
    """
    if size_b < _PREFIX_B:
        return f"it has {size_b} bytes, which is too short for a file of tensors"
    length = int.from_bytes(start[:_PREFIX_B], "little")
    if length > size_b - _PREFIX_B:
        return f"its header is said to have {length} bytes, but the file has {size_b}"
    if length > LONGEST_HEADER_B:
        longest = format_quantity(float(LONGEST_HEADER_B), "B")
        return f"its header has {format_quantity(float(length), 'B')}, and no encoder's has more than {longest}"
    return None


def file_problem(path: Path) -> str | None:
    """The same of a file. Raises OSError."""
    with path.open("rb") as file:
        return header_problem(file.read(_PREFIX_B), path.stat().st_size)
