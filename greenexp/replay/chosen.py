"""Thresholds chosen on dev, and what they are worth on test. Nothing about test is looked at when choosing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from greenexp.records.metrics import less_is_better
from greenexp.replay.family import Family
from greenexp.replay.naming import resolve
from greenexp.replay.outcomes import score_column
from greenexp.replay.points import operating_point, operating_points
from greenexp.replay.record import ExitCosts, ExitRecord

TARGETS = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""Least mean speed-up asked for on dev."""
_KINDS: Mapping[str, str] = {
    "policy": "str", "target": "float64", "threshold": "float64", "dev_score": "float64", "dev_speed_up": "float64",
    "dev_inference_flops": "float64", "test_score": "float64", "test_speed_up": "float64",
    "test_inference_flops": "float64",
}  # fmt: skip


def chosen_thresholds(points: pd.DataFrame, targets: Iterable[float] = TARGETS) -> pd.DataFrame:
    """Per policy and target the point with the best score among those with speed_up >= target.

    points: as `operating_points` gives them, of one policy or of several one below the other; a column `score` in place
    of the metric's name will do, more is better then. Of equal scores the one with fewer inference_flops, of equal
    FLOPs the larger threshold. A point without a score is never chosen.
    The rows chosen, all columns, with `target` after `policy`: policies in their order, targets as given. A target that
    no point reaches has no row.
    """
    points = points.reset_index(drop=True)
    score = score_column(points)
    scored = points[points[score].notna()]
    by = [score, "inference_flops", "threshold"]
    best_first = scored.sort_values(by, ascending=[less_is_better(score), True, False], kind="stable")
    groups = dict(iter(best_first.groupby("policy", sort=False)))
    rows, reached = [], []
    for policy in points["policy"].unique():
        for target in targets if policy in groups else ():
            fast = groups[policy].index[groups[policy]["speed_up"] >= target]
            if len(fast):
                rows.append(fast[0])
                reached.append(float(target))
    chosen = points.loc[rows].reset_index(drop=True)
    chosen.insert(1, "target", np.array(reached, dtype=np.float64))
    return chosen


def on_test(
    dev_record: ExitRecord,
    dev_costs: ExitCosts,
    test_record: ExitRecord,
    test_costs: ExitCosts,
    policies: Iterable[Any],
    targets: Iterable[float] = TARGETS,
    metric: str | None = None,
) -> pd.DataFrame:
    """Per policy and target: the threshold chosen on dev, what it is worth there, and the same threshold on test.

    policies: each as `operating_points` takes a family; one that needs the labels is left out: it cannot be deployed
    targets, and the rule: see `chosen_thresholds`; metric: see `operating_points`
    policy, target, threshold, dev_score, dev_speed_up, dev_inference_flops, test_score, test_speed_up,
    test_inference_flops. Raises InputError as `operating_points` does.
    """
    rows: list[dict[str, Any]] = []
    wanted = tuple(targets)
    for policy in policies:
        label, family = resolve(policy, dev_record)
        if needs_labels(family):
            continue
        points = operating_points(dev_record, family, dev_costs, metric)
        score = score_column(points)
        tested: dict[float, dict[Any, Any]] = {}
        for row in chosen_thresholds(points, wanted).to_dict("records"):
            threshold = row["threshold"]
            if threshold not in tested:
                setting = at_threshold(family, threshold, dev_record)
                tested[threshold] = operating_point(test_record, setting, test_costs, metric).to_dict("records")[0]
            rows.append(
                {"policy": label, "target": row["target"], "threshold": threshold}
                | {f"{split}_score": values[score] for split, values in (("dev", row), ("test", tested[threshold]))}
                | {f"dev_{name}": row[name] for name in ("speed_up", "inference_flops")}
                | {f"test_{name}": tested[threshold][name] for name in ("speed_up", "inference_flops")}
            )
    return pd.DataFrame(rows, columns=list(_KINDS)).astype(_KINDS)


def needs_labels(family: Family) -> bool:
    """Whether a policy decides by the labels: a bound on the others, which cannot be deployed."""
    return bool(getattr(family, "needs_labels", False))


def at_threshold(family: Family, threshold: float, record: ExitRecord) -> Family:
    """The same policy with another threshold: one of those of its staircase over `record`."""
    choose = getattr(family, "swept", None)
    parameter = choose(record) if choose else family.parameter
    if not parameter:  # a bound such as `oracle` has none
        return family
    changed: Family = dataclasses.replace(family, **{parameter: threshold})  # type: ignore[type-var]  # a frozen dataclass
    return changed
