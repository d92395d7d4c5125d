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

_CALL = re.compile(r"\(\s*+([0-9]++(?:\s*+,\s*+[0-9]++)*+)\s*+(?:,\s*+)?+\)\s*+,\s*+([A-Za-z_][\w.\-]*+)")
"""Possessive throughout: a part that is no call is refused in one pass over it, however long it is."""
MOST_DIMENSIONS, MOST_SIZE = 4, 2**20
"""Of a shape: far above any encoder's, so that a mistyped number is not computed with."""
_MOST_DIGITS = len(str(MOST_SIZE))
_SHOWN = 60
"""Characters of a part that a message shows."""


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
        raise InputError(
            f"module {number} is '{_shown(part)}': expected the shape of its input and its name, such as "
            "(10,768),layer_1"
        )
    sizes = [size.strip() for size in matched[1].split(",")]
    # Digits are counted first: int() refuses thousands of them with an error of its own.
    shape = tuple(int(size) for size in sizes if len(size) <= _MOST_DIGITS)
    if len(sizes) > MOST_DIMENSIONS or len(shape) < len(sizes) or not all(1 <= size <= MOST_SIZE for size in shape):
        raise InputError(
            f"module {number}, {_shown(matched[2])}: its input has the shape ({_shown(matched[1])}); expected 1 to "
            f"{MOST_DIMENSIONS} dimensions of 1 to {MOST_SIZE:,}, without the batch dimension"
        )
    return ModuleCall(matched[2], shape)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
