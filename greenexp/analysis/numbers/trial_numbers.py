"""Numbers of trials as budgets: whole ones, those that are looked at between, and words for how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from greenexp.errors import InputError

LOOKED_AT = 200
"""Numbers of trials that are looked at one by one; of more, as many in equal ratios."""


def whole(budgets: Sequence[float], name: str = "budgets") -> tuple[int, ...]:
    """The budgets as numbers of trials. InputError if one is not a whole number of at least 1."""
    if any(budget != int(budget) or budget < 1 for budget in budgets):
        raise InputError(f"{name}: without a cost they are numbers of trials, so whole ones, each at least 1")
    return tuple(int(budget) for budget in budgets)


def every_number(last: int, also: Sequence[int] = ()) -> NDArray[np.int64]:
    """1 .. `last`, of more than LOOKED_AT some in equal ratios, and the numbers in `also`; ascending, each once."""
    numbers = np.arange(1, last + 1) if last <= LOOKED_AT else np.rint(np.geomspace(1, last, LOOKED_AT))
    return np.unique(np.concatenate((numbers, np.asarray(also, dtype=np.int64)))).astype(np.int64)


def counted(number: int, noun: str) -> str:
    """`1 trial`, `12 trials`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
