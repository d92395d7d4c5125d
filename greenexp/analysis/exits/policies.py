"""Names of exit policies in tables: which of them are real choices."""

from __future__ import annotations

import pandas as pd

from greenexp.records.policies import STATIC
from greenexp.replay.family import FAMILIES


def family_of(label: str) -> str:
    """The name of a policy without the options in its label: `entropy:normalised=true` -> `entropy`."""
    return label.partition(":")[0]


def is_bound(policies: pd.Series[str]) -> pd.Series[bool]:
    """Which rows of a column `policy` are of a policy that needs the labels: a bound, never to be chosen."""
    return policies.isin([label for label in policies.unique() if needs_labels(family_of(str(label)))])


def needs_labels(family: str) -> bool:
    """Whether a family, by its name, is a bound that cannot be used."""
    return family in FAMILIES and getattr(FAMILIES[family], "needs_labels", False)


def leaves_early(policies: pd.Series[str]) -> pd.Series[bool]:
    """Which rows are of a policy that decides example by example and can be used: not `static`, not a bound."""
    alone = policies.isin([label for label in policies.unique() if family_of(str(label)) == STATIC])
    return ~alone & ~is_bound(policies)
