"""All operating points of a sweep's policies over one trial's logits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.errors import InputError
from greenexp.records.policies import STATIC
from greenexp.replay import ExitCosts, operating_points
from greenexp.replay.logits import StoredLogits
from greenexp.replay.naming import resolve
from greenexp.replay.outcomes import score_column
from greenexp.replay.points import GRID
from greenexp.replay.scores import find_metric

POINTS: Mapping[str, str] = {"policy": "str"} | dict.fromkeys(
    ("threshold", "score", "inference_flops", "mean_layers", "speed_up"), "float64"
)
"""Columns and their types."""


@dataclass(frozen=True, eq=False)
class PolicyPoints:
    """POINTS of some policies, one below the other.

    families: label -> replay form, of those that could be applied; scored: whether the metric can be replayed
    remarks: what could not, and why
    """

    points: pd.DataFrame
    families: Mapping[str, Any]
    scored: bool
    remarks: tuple[str, ...]


def policy_points(stored: StoredLogits, policies: Iterable[Any], metric: str) -> PolicyPoints:
    """Every operating point of `policies`, each given in any way `replay` knows, each label once.

    `static` is left out: it is known without logits. Nothing is raised for a policy that cannot be applied, or belongs
    to a package that is not installed or breaks: it costs its own rows alone.
    """
    record, costs = stored.record, priced(stored)
    remarks: list[str] = []
    wanted: str | None = metric
    try:
        find_metric(metric, record.is_regression)
    except InputError as error:
        wanted = None
        remarks.append(str(error))
    families: dict[str, Any] = {}
    parts = [empty_points()]
    for policy in policies:
        try:
            label, family = resolve(policy, record)
            if label in families or label.partition(":")[0] == STATIC:
                continue
            points = operating_points(record, family, costs, wanted)
        except Exception as error:
            remarks.append(told(f"policy {name_of(policy)}", error))
            continue
        families[label] = family
        if wanted is not None:
            parts.append(points.rename(columns={score_column(points): "score"})[list(POINTS)])
            if record.is_regression and len(points) == GRID:
                remarks.append(f"metrics of numbers are replayed at {GRID} settings of a policy at most, evenly spaced")
    points = pd.concat(parts, ignore_index=True).astype(dict(POINTS))
    return PolicyPoints(points, families, wanted is not None, tuple(dict.fromkeys(remarks)))


def priced(stored: StoredLogits) -> ExitCosts:
    """The costs that were stored with the logits. InputError if none were."""
    if stored.costs is None:
        raise InputError("logits without the costs of exits cannot be replayed")
    return stored.costs


def empty_points() -> pd.DataFrame:
    """POINTS without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in POINTS.items()})


def name_of(policy: Any) -> str:
    """What a policy was called by whoever gave it, for messages."""
    return str(policy.get("name", policy)) if isinstance(policy, Mapping) else str(policy)


def told(what: str, error: Exception) -> str:
    """One sentence on what failed."""
    text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return f"{what}: {text}"
