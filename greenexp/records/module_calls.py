"""What a row of an ELUE submission says was computed: modules by name, each with the shape of its input.

`(10),emb; (10,768),layer_1; (768),exit_1` is three calls, in the order in which they ran. A shape has no batch
dimension; the separator is a semicolon, with or without a space (ELUE's slides write one, CELUE's files none). A token
that left early, or an expert that saw some tokens only, is a call with fewer rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from greenexp.errors import InputError

_CALL = re.compile(r"\(\s*(\d+(?:\s*,\s*\d+)*)\s*,?\s*\)\s*,\s*([A-Za-z_][\w.\-]*)")
MOST_DIMENSIONS, MOST_SIZE = 4, 2**20
"""Of a shape: far above any encoder's, so that a mistyped number is not computed with."""


@dataclass(frozen=True, slots=True, order=True)
class ModuleCall:
    """One module that ran once. name: as in `module_list`; shape: of its input, without the batch dimension."""

    name: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"({','.join(map(str, self.shape))}),{self.name}"


def calls_text(calls: Iterable[ModuleCall]) -> str:
    """The calls as ELUE writes them."""
    return "; ".join(map(str, calls))


def parse_calls(text: str) -> tuple[ModuleCall, ...]:
    """The calls of one row. InputError that says which part is no call, without a place."""
    parts = text.strip().rstrip(";").split(";")
    if parts == [""]:
        raise InputError("the column `modules` is empty: which modules ran?")
    return tuple(_call(part.strip(), number) for number, part in enumerate(parts, start=1))


def _call(part: str, number: int) -> ModuleCall:
    matched = _CALL.fullmatch(part)
    if matched is None:
        shown = part if len(part) <= 60 else f"{part[:60]}..."
        raise InputError(
            f"module {number} is '{shown}': expected the shape of its input and its name, such as (10,768),layer_1"
        )
    shape = tuple(int(size) for size in matched[1].split(","))
    if len(shape) > MOST_DIMENSIONS or not all(1 <= size <= MOST_SIZE for size in shape):
        raise InputError(
            f"module {number}, {matched[2]}: its input has the shape {shape}; expected 1 to {MOST_DIMENSIONS} "
            f"dimensions of 1 to {MOST_SIZE:,}, without the batch dimension"
        )
    return ModuleCall(matched[2], shape)
