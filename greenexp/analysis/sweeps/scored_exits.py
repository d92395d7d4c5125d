"""Over which exits a score was taken. Trials of several methods, and stages of one, may have different ones.

In a method with stages the early reports may be over other exits than the last ones. They are not compared with them:
a trial's score is the best over its last reports' exits alone (`records.epoch`), and so is everything drawn from it.
"""

from __future__ import annotations

import pandas as pd

from greenexp.records.tables import SweepTables

Exits = tuple[int, ...]
_KEY = ["trial", "attempt", "epoch"]


def exits_at_the_end(tables: SweepTables) -> dict[str, Exits]:
    """Trial -> the exits of its last report; trials of which nothing is known are left out."""
    known = _exits(tables)
    last = (
        tables.epochs[~tables.epochs["repeated"]]
        .sort_values("epoch", kind="stable")
        .drop_duplicates("trial", keep="last")
    )
    return {key[0]: known[key] for key in _keys(last) if key in known}


def over_other_exits(tables: SweepTables, epochs: pd.DataFrame) -> list[bool]:
    """Which rows of `epochs` were scored over other exits than their trial's last report."""
    known, end = _exits(tables), exits_at_the_end(tables)
    return [key in known and known[key] != end.get(key[0], known[key]) for key in _keys(epochs)]


def _exits(tables: SweepTables) -> dict[tuple[str, int, int], Exits]:
    found: dict[tuple[str, int, int], list[int]] = {}
    for key, number in zip(_keys(tables.exits), tables.exits["exit"].tolist(), strict=True):
        found.setdefault(key, []).append(number)
    return {key: tuple(sorted(numbers)) for key, numbers in found.items()}


def _keys(rows: pd.DataFrame) -> list[tuple[str, int, int]]:
    return list(zip(*(rows[name].tolist() for name in _KEY), strict=True))
