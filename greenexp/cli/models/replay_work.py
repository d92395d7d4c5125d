"""The work of `greenexp replay`: a sweep's trials, policy by policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from greenexp.cli.models.replaying import PolicyReplay, ReplaySplit, Row, TrialReplay, Wish, priced_in_seconds, rows_of
from greenexp.errors import InputError
from greenexp.records.policies import STATIC
from greenexp.replay.budgeted import budgeted_thresholds
from greenexp.replay.calibration import temperatures
from greenexp.replay.chosen import at_threshold, chosen_thresholds
from greenexp.replay.exit_tables import held_out_split
from greenexp.replay.latency import LatencyTable
from greenexp.replay.logits import StoredLogits
from greenexp.replay.naming import described, parameters_of, resolve
from greenexp.replay.policy_points import priced
from greenexp.replay.scores import find_metric
from greenexp.replay.standing import StandingLogits
from greenexp.sources.recorded import Recorded

BUDGETED = ("max_probability", "entropy")
NEEDS_LABELS = "oracle"
_NOT_HERE = (InputError, ImportError, AttributeError)
"""A policy of a package that is not installed, or that the record does not allow."""


def replay_trials(recorded: Recorded, wish: Wish, latency: LatencyTable | None) -> tuple[TrialReplay, ...]:
    """Replay what was asked for. Raises InputError for what cannot be."""
    found = []
    for name, logits in recorded.trials.items():
        if logits.dev is None:
            raise InputError(f"{name} cannot be replayed: {'; '.join(logits.problems)}")
        found.append(_Work(recorded, wish, latency, name, logits, logits.dev).trial())
    return tuple(found)


def new_labels(recorded: Recorded, wish: Wish) -> list[str]:
    """Labels of the policies asked for that are not in the sweep's record yet."""
    record = next(logits.dev.record for logits in recorded.trials.values() if logits.dev is not None)
    known = {STATIC}
    for policy in recorded.policies:
        try:
            known.add(resolve(policy, record)[0])
        except _NOT_HERE:
            continue
    labels = [resolve(policy, record)[0] for policy in wish.policies]
    return [label for label in dict.fromkeys(labels) if label not in known]


@dataclass(frozen=True, eq=False)
class _Work:
    """One trial."""

    recorded: Recorded
    wish: Wish
    latency: LatencyTable | None
    name: str
    logits: StandingLogits
    stored: StoredLogits

    def trial(self) -> TrialReplay:
        dev, test, problem = self._splits
        policies, notes = self._policies()
        notes = [*self.logits.problems, *filter(None, [problem]), *notes]
        budgets = self._budgets([same[0] for same in policies]) if self.wish.budget_flops is not None else ()
        replays = () if budgets else tuple(map(self._replay, policies))
        return TrialReplay(self.name, self._metric, dev, test, replays, budgets, tuple(dict.fromkeys(notes)))

    @cached_property
    def _metric(self) -> str:
        try:
            return find_metric(self.wish.metric or self.recorded.metric, self.stored.record.is_regression)
        except InputError as error:
            raise InputError(f"{error}; choose one with --metric") from None

    @cached_property
    def _splits(self) -> tuple[ReplaySplit, ReplaySplit | None, str]:
        """dev, test, and what is wrong with test."""
        found, problem = held_out_split(self.stored, self.logits.test)
        splits = [ReplaySplit("dev", self.stored.record, priced(self.stored))]
        splits += [] if found is None else [ReplaySplit("test", found.record, found.costs, found.has_flops)]
        if self.wish.calibrated:
            fitted = temperatures(self.stored.record)
            splits = [dataclasses.replace(split, record=split.record.calibrated(fitted)) for split in splits]
        if self.latency is not None:
            at = self.latency.at
            splits = [priced_in_seconds(s, at(s.costs.lengths, s.record.numbers.tolist())) for s in splits]
        return splits[0], splits[1] if len(splits) > 1 else None, problem

    def _policies(self) -> tuple[list[list[Any]], list[str]]:
        """What to replay, `static` first; those that differ in their threshold alone are together.

        What was asked for must work; of the record's own policies, what does, and why the others do not.
        """
        record = self._splits[0].record
        found: dict[str, list[Any]] = {}
        notes = []
        for policy in (STATIC, *(self.wish.policies or self.recorded.policies)):
            try:
                label, family = resolve(policy, record)
                family.staircase(record)
            except _NOT_HERE as error:
                if self.wish.policies:
                    raise
                notes.append(f"left out: {error}")
                continue
            found.setdefault(label, []).append(policy)
        return list(found.values()), notes

    def _replay(self, policies: Sequence[Any]) -> PolicyReplay:
        """One policy, perhaps with thresholds that were given."""
        dev, test, _ = self._splits
        label, family = resolve(policies[0], dev.record)
        if label.partition(":")[0] == NEEDS_LABELS:
            test = None
        chosen: list[Row] = []
        for row in rows_of(chosen_thresholds(dev.points(family, label, self._metric))):
            tested = test and test.point(at_threshold(family, row["threshold"], dev.record), self._metric)
            chosen.append({"target": row["target"], "threshold": row["threshold"], "dev": row, "test": tested})
        for policy in policies:
            if _threshold_given(policy, label):
                point, tested = dev.point(policy, self._metric), test and test.point(policy, self._metric)
                chosen.append({"target": None, "threshold": point["threshold"], "dev": point, "test": tested})
        asked = label != STATIC or not self.wish.policies or len(policies) > 1
        return PolicyReplay(label, self._shown(label), family, asked, tuple(chosen))

    def _budgets(self, policies: Sequence[Any]) -> tuple[Row, ...]:
        """Thresholds per exit for the budget, of the policies they are found for."""
        dev, test, _ = self._splits
        rows = []
        for policy in policies:
            label, family = resolve(policy, dev.record)
            if label.partition(":")[0] not in BUDGETED:
                if self.wish.policies and label != STATIC:
                    raise InputError(f"thresholds for a budget are found for {' and '.join(BUDGETED)}, not for {label}")
                continue
            found = budgeted_thresholds(dev.record, dev.costs, self.wish.budget_flops, family)
            row: Row = {"shown": self._shown(label), "label": label, "thresholds": dict(found["threshold"])}
            for split in (dev, test):
                if split is not None:
                    point = split.point(found, self._metric)
                    row[split.name] = {name: point[name] for name in point if name not in {"policy", "threshold"}}
            rows.append(row)
        if not rows:
            raise InputError(f"thresholds for a budget are found for {' and '.join(BUDGETED)}: name one with --policy")
        return tuple(rows)

    def _shown(self, label: str) -> str:
        return f"{label} (calibrated)" if self.wish.calibrated and label != STATIC else label


def _threshold_given(policy: Any, label: str) -> bool:
    """Whether a policy came with a value of what its operating points are swept over."""
    name, fields = described(policy)
    parameters = parameters_of(name) or ()
    free = [parameter for parameter in parameters if parameter not in fields]
    given = {free[0] if field == "threshold" and free else field for field in fields}
    fixed = {option.partition("=")[0] for option in label.partition(":")[2].split(",")}
    return bool({"threshold", *parameters} & given - fixed)
