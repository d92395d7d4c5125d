"""From a trial's stored logits to everything the tables say about leaving early: one pure function.

Whoever has the same logits, from a sweep's folder or from MLflow, comes to the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from greenexp.records.exit_tables import ExitTables
from greenexp.records.metrics import less_is_better
from greenexp.records.policies import STATIC
from greenexp.replay import ExitCosts, ExitRecord
from greenexp.replay.calibration import calibration_table, reliability_tables
from greenexp.replay.chosen import on_test
from greenexp.replay.confusion import confusion
from greenexp.replay.logits import StoredLogits
from greenexp.replay.naming import resolve
from greenexp.replay.overthinking import overthinking
from greenexp.replay.policy_points import POINTS, empty_points, policy_points, priced, told
from greenexp.replay.profiles import exit_profiles
from greenexp.replay.resampling import example_answers
from greenexp.replay.standing import StandingLogits
from greenexp.replay.thinning import thinned_points


def exit_tables(standing: StandingLogits, policies: Iterable[Any], metric: str) -> ExitTables:
    """Replay `policies`, each given in any way `replay` knows, over a trial's logits.

    metric: the sweep's; where it cannot be replayed (a loss, or one of the other kind) there are no operating points.
    Nothing is raised: what cannot be worked out has a remark in its place.
    """
    dev = standing.dev
    if dev is None or dev.costs is None:
        missing = () if dev is None else ("dev logits were stored without the costs of exits",)
        answers = None if dev is None else example_answers(dev, metric)
        return ExitTables(empty_points(), {}, (*standing.problems, *missing), answers, standing.problems)
    found = policy_points(dev, policies, metric)
    points = _thinned(found.points, metric)
    remarks = [*standing.problems, *found.remarks]
    if len(points) < len(found.points):
        remarks.append("of policies with very many operating points there are the fronts and evenly spaced others")
    test, problem = held_out_split(dev, standing.test)
    remarks += [problem] if problem else []
    tables = _Replay(dev.record, priced(dev), test, remarks).tables(found.families, metric if found.scored else None)
    return ExitTables(
        points,
        tables,
        tuple(dict.fromkeys(remarks)),
        example_answers(dev, metric),
        unread=standing.problems,
        answers_on_test=None if test is None or standing.test is None else example_answers(standing.test, metric),
    )


def logged_points(points: pd.DataFrame, metric: str, problems: Sequence[str]) -> ExitTables:
    """Operating points that were logged, where logits are not to be had. ValueError if they are something else.

    problems: why they are not
    """
    missing = set(POINTS) - set(points)
    if missing:
        raise ValueError(f"the table lacks {', '.join(sorted(missing))}")
    remark = f"operating points alone, as they were logged: {'; '.join(problems)}"
    return ExitTables(_thinned(points[list(POINTS)], metric), {}, (remark,), unread=tuple(problems))


def _thinned(points: pd.DataFrame, metric: str) -> pd.DataFrame:
    less = less_is_better(metric)
    parts = [thinned_points(rows, minimize=less) for _, rows in points.groupby("policy", sort=False)]
    return pd.concat([empty_points(), *parts], ignore_index=True).astype(dict(POINTS))


@dataclass(frozen=True, eq=False)
class HeldOutSplit:
    """Test for replay; has_flops: whether its costs are more than layers."""

    record: ExitRecord
    costs: ExitCosts
    has_flops: bool


def held_out_split(dev: StoredLogits, test: StoredLogits | None) -> tuple[HeldOutSplit | None, str]:
    """Test, and what is wrong with it. Logits of an earlier version have no costs, but then dev's layers."""
    if test is None:
        return None, ""
    record = test.record
    if record.numbers.tolist() != dev.record.numbers.tolist() or record.logits.shape[2] != dev.logits.shape[2]:
        return None, "test logits are of other exits or classes than dev logits"
    if test.costs is not None:
        return HeldOutSplit(record, test.costs, has_flops=True), ""
    lengths, known = np.unique(record.lengths), priced(dev)
    unknown = np.zeros((len(record.numbers), len(lengths)), dtype=np.int64)
    costs = ExitCosts(known.layers, lengths, unknown, unknown, encoder_layers=known.encoder_layers)
    return HeldOutSplit(
        record, costs, has_flops=False
    ), "test logits were stored without costs: their FLOPs are not known"


@dataclass(frozen=True, eq=False)
class _Replay:
    """What is worked out from dev, and from test where there is one; `remarks` grows where something is not."""

    dev: ExitRecord
    costs: ExitCosts
    test: HeldOutSplit | None
    remarks: list[str]

    def tables(self, families: Mapping[str, Any], metric: str | None) -> dict[str, pd.DataFrame]:
        """The tables of `REPLAYED` that have rows. metric: None if it cannot be replayed."""
        found = {
            "exit_profiles": self._each(families, lambda family: exit_profiles(self.dev, family, self.costs)),
            "overthinking": self._one("overthinking", lambda: overthinking(self.dev, self.costs)),
        }
        if not self.dev.is_regression:
            found["confusion"] = self._one("confusion", lambda: confusion(self.dev))
            test = None if self.test is None else self.test.record
            found["calibration"] = self._one("calibration", lambda: self._calibration(test))
            found["reliability"] = self._one("reliability", lambda: reliability_tables(self.dev, test))
        if self.test is not None and metric is not None:
            every = {STATIC: resolve(STATIC, self.dev)[1], **families}
            found["thresholds_on_test"] = self._each(every, partial(self._on_test, self.test, metric))
        return {name: frame for name, frame in found.items() if len(frame)}

    def _calibration(self, test: ExitRecord | None) -> pd.DataFrame:
        layers = dict(zip(self.dev.numbers.tolist(), self.costs.layers.tolist(), strict=True))
        table = calibration_table(self.dev, test)
        return table.assign(layer=table["exit"].map(layers))

    def _on_test(self, test: HeldOutSplit, metric: str, family: Any) -> pd.DataFrame:
        rows = on_test(self.dev, self.costs, test.record, test.costs, [family], metric=metric)
        return rows if test.has_flops else rows.assign(test_inference_flops=np.nan)

    def _each(self, families: Mapping[str, Any], work: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
        parts = [self._one(f"policy {label}", partial(work, family)) for label, family in families.items()]
        filled = [part for part in parts if len(part)]
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()

    def _one(self, what: str, work: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        try:
            return work()
        except Exception as error:  # a third party's replay, or a degenerate record, costs its own rows alone
            self.remarks.append(told(what, error))
            return pd.DataFrame()
