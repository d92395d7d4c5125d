"""What `greenexp replay` has to say: for programs every operating point, for people what thresholds are worth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from greenexp.replay import ExitCosts, ExitRecord, operating_points
from greenexp.replay.points import operating_point

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. policies: none for those of the sweep's record; metric: None for the sweep's."""

    policies: tuple[Any, ...] = ()
    metric: str | None = None
    calibrated: bool = False
    budget_flops: float | None = None
    latency: Path | None = None


@dataclass(frozen=True, eq=False)
class ReplaySplit:
    """One split of a trial. has_flops: whether its FLOPs are known."""

    name: str
    record: ExitRecord
    costs: ExitCosts
    has_flops: bool = True

    @property
    def examples(self) -> int:
        """How many there are."""
        return len(self.record.labels)

    def points(self, family: Any, label: str, metric: str) -> pd.DataFrame:
        """Every operating point of a family, under `label`."""
        return self._known(operating_points(self.record, family, self.costs, metric).assign(policy=label))

    def point(self, policy: Any, metric: str) -> Row:
        """The operating point of a policy at its own threshold."""
        return rows_of(self._known(operating_point(self.record, policy, self.costs, metric)))[0]

    def _known(self, points: pd.DataFrame) -> pd.DataFrame:
        return points if self.has_flops else points.assign(inference_flops=math.nan)


@dataclass(frozen=True, eq=False)
class PolicyReplay:
    """One policy over one trial.

    label: as in tables; shown: the same, and whether logits were calibrated; asked: False for a baseline
    chosen: a row per target speed-up: `target`, `threshold`, and `dev` and `test` with their operating points (`test`
        None without test logits, and for a policy that needs the labels); `target` None for a threshold that was given
    """

    label: str
    shown: str
    family: Any
    asked: bool
    chosen: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Without options."""
        return self.label.partition(":")[0]


@dataclass(frozen=True, eq=False)
class TrialReplay:
    """All policies over one trial. test: None without test logits; notes: what a reader must know.

    budgets: a row per policy if a budget was asked for: `label`, `shown`, `thresholds` by exit, `dev` and `test`
    """

    trial: str
    metric: str
    dev: ReplaySplit
    test: ReplaySplit | None
    policies: tuple[PolicyReplay, ...]
    budgets: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> list[ReplaySplit]:
        """dev, and test if it is there."""
        return [split for split in (self.dev, self.test) if split is not None]

    def points(self) -> Iterator[Row]:
        """Every operating point of what was asked for, on dev and on test; those of the budget if there is one."""
        for row in self.budgets:
            for split in self.splits:
                yield self._named(split, {"policy": row["shown"], "thresholds": row["thresholds"], **row[split.name]})
        for policy in self.policies if not self.budgets else ():
            for split in self.splits if policy.asked else ():
                for point in rows_of(split.points(policy.family, policy.shown, self.metric)):
                    yield self._named(split, point)

    def _named(self, split: ReplaySplit, point: Row) -> Row:
        plain = {name: None if _unknown(value) else value for name, value in point.items()}
        return {"trial": self.trial, "split": split.name, **plain}


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """A table as rows of plain values."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def priced_in_seconds(split: ReplaySplit, seconds: Any) -> ReplaySplit:
    """The split with the latency of each exit, float64 [exit, length], among its costs."""
    return dataclasses.replace(split, costs=dataclasses.replace(split.costs, latency_s=seconds))


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
