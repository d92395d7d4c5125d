"""One trial's logits replayed: thresholds chosen on dev, what they are worth on test, and every operating point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.errors import InputError
from greenexp.records.policies import STATIC
from greenexp.replay.budgeted import FITTED_BY_BUDGET, budgeted_thresholds, is_fitted_by_budget
from greenexp.replay.calibration import temperatures
from greenexp.replay.chosen import at_threshold, chosen_thresholds, needs_labels
from greenexp.replay.exit_tables import held_out_split
from greenexp.replay.family import Family
from greenexp.replay.latency import LatencyTable
from greenexp.replay.logits import StoredLogits
from greenexp.replay.naming import described, parameters_of, resolve, text_of, text_per_exit
from greenexp.replay.policy_points import priced
from greenexp.replay.priced_split import PricedSplit
from greenexp.replay.record import ExitRecord
from greenexp.replay.scores import find_metric
from greenexp.replay.standing import StandingLogits

NOT_HERE = (InputError, ImportError, AttributeError)
"""A policy of a package that is not installed, or that the record does not allow."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What is replayed.

    policies: each in any form that `naming` takes; none: those of the sweep's record
    metric: None for the sweep's; calibrated: divide each exit's logits by a temperature fitted on dev
    budget_flops: find a threshold per exit for this mean cost per example, instead of thresholds for speed-ups
    latency: seconds by exit and length, to price operating points with
    """

    policies: tuple[Any, ...] = ()
    metric: str | None = None
    calibrated: bool = False
    budget_flops: float | None = None
    latency: LatencyTable | None = None


@dataclass(frozen=True, eq=False)
class TrialReplay:
    """The policies over one trial.

    dev_examples, test_examples: numbers of examples; test_examples is None without test logits
    chosen: policy, parameter (the name of what is chosen), setting (text that is the policy again), target (least
        speed-up asked for; NaN for a threshold that was given), threshold, dev_score, dev_speed_up,
        dev_inference_flops, dev_latency_s (where it was measured), and the same of test. A policy that needs labels is
        NaN on test. `static` is the first policy, asked for or not
    budgets: policy, setting, thresholds (exit number -> threshold), and the same columns of dev and test
    points: split, policy, threshold (thresholds for a budget), the metric under its name, inference_flops, mean_layers,
        speed_up, latency_s; of the policies that were asked for
    notes: what a reader must know of this trial, a sentence each
    """

    trial: str
    metric: str
    dev_examples: int
    test_examples: int | None
    chosen: pd.DataFrame
    budgets: pd.DataFrame
    points: pd.DataFrame
    notes: tuple[str, ...]


def replay_trial(
    trial: str, logits: StandingLogits, recorded_policies: Sequence[Any], metric: str, options: ReplayOptions
) -> TrialReplay:
    """The policies of `options`, or `recorded_policies`, over the logits of one trial.

    metric: the sweep's. Raises InputError for what was asked for and cannot be: a policy, a metric, a budget; of the
    recorded policies, those that cannot be replayed are left out with a note.
    """
    if logits.dev is None:
        raise InputError(f"{trial} cannot be replayed: {'; '.join(logits.problems)}")
    splits, problem = _splits(logits.dev, logits, options)
    policies, left_out = _policies(splits[0].record, recorded_policies, options)
    work = _Work(splits, _metric(logits.dev.record, metric, options), options)
    chosen: list[dict[str, Any]] = []
    budgets: list[dict[str, Any]] = []
    if options.budget_flops is None:
        chosen, points = work.chosen(policies), work.points(policies)
    else:
        budgets, points = work.budgets([same[0] for same in policies], options.budget_flops)
    notes = [*logits.problems, *filter(None, [problem]), *left_out, *work.remarks(policies, chosen)]
    return TrialReplay(
        trial=trial,
        metric=work.metric,
        dev_examples=len(splits[0].record.labels),
        test_examples=len(splits[1].record.labels) if len(splits) > 1 else None,
        chosen=pd.DataFrame(chosen),
        budgets=pd.DataFrame(budgets),
        points=pd.concat(points, ignore_index=True) if points else pd.DataFrame(),
        notes=tuple(dict.fromkeys(notes)),
    )


def new_policies(record: ExitRecord, recorded: Iterable[Any], policies: Iterable[Any]) -> list[str]:
    """The labels of those of `policies` that are not among the `recorded` ones, each once."""
    known = {STATIC}
    for policy in recorded:
        try:
            known.add(resolve(policy, record)[0])
        except NOT_HERE:
            continue
    labels = [resolve(policy, record)[0] for policy in policies]
    return [label for label in dict.fromkeys(labels) if label not in known]


def _metric(record: ExitRecord, metric: str, options: ReplayOptions) -> str:
    try:
        return find_metric(options.metric or metric, record.is_regression)
    except InputError as error:
        raise InputError(f"{error}; choose one with --metric") from None


def _splits(dev: StoredLogits, logits: StandingLogits, options: ReplayOptions) -> tuple[list[PricedSplit], str]:
    """Dev, and test where it can be used; and what is wrong with test."""
    test, problem = held_out_split(dev, logits.test)
    splits = [PricedSplit("dev", dev.record, priced(dev))]
    splits += [] if test is None else [PricedSplit("test", test.record, test.costs, test.has_flops)]
    if options.calibrated:
        fitted = temperatures(dev.record)
        splits = [dataclasses.replace(split, record=split.record.calibrated(fitted)) for split in splits]
    if options.latency is not None:
        at = options.latency.at
        splits = [s.with_seconds(at(s.costs.lengths, s.record.numbers.tolist())) for s in splits]
    return splits, problem


def _policies(record: ExitRecord, recorded: Sequence[Any], options: ReplayOptions) -> tuple[list[list[Any]], list[str]]:
    """What to replay, `static` first; those that differ in their threshold alone are together. And what was left out.

    What was asked for must work; of the record's own policies, what does.
    """
    by_label: dict[str, list[Any]] = {}
    left_out = []
    for policy in (STATIC, *(options.policies or recorded)):
        try:
            label, family = resolve(policy, record)
            family.staircase(record)
        except NOT_HERE as error:
            if options.policies:
                raise
            left_out.append(f"left out: {error}")
            continue
        by_label.setdefault(label, []).append(policy)
    return list(by_label.values()), left_out


@dataclass(frozen=True, eq=False)
class _Work:
    """What the tables of one trial share. splits: dev, and test where there is one."""

    splits: list[PricedSplit]
    metric: str
    options: ReplayOptions

    @property
    def dev(self) -> PricedSplit:
        return self.splits[0]

    def chosen(self, policies: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """The rows of `TrialReplay.chosen`."""
        rows = []
        for same in policies:
            label, family = resolve(same[0], self.dev.record)
            for row in chosen_thresholds(self.dev.points(family, self.metric)).to_dict("records"):
                setting = at_threshold(family, row["threshold"], self.dev.record)
                rows.append(self._row(label, family, row["target"], row, setting))
            for policy in same:
                if _has_threshold(policy, label):
                    point = self.dev.point(policy, self.metric).to_dict("records")[0]
                    rows.append(self._row(label, family, math.nan, point, policy))
        return rows

    def points(self, policies: Sequence[Sequence[Any]]) -> list[pd.DataFrame]:
        """The parts of `TrialReplay.points`; `static` was perhaps not asked for."""
        parts = []
        for same in policies:
            label, family = resolve(same[0], self.dev.record)
            if label == STATIC and self.options.policies and len(same) == 1:
                continue
            for split in self.splits:
                points = split.points(family, self.metric).assign(policy=self._shown(label))
                points.insert(0, "split", split.name)
                parts.append(points)
        return parts

    def budgets(self, policies: Sequence[Any], budget_flops: float) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
        """The rows of `TrialReplay.budgets` and the parts of `TrialReplay.points`."""
        rows, parts = [], []
        for policy in policies:
            label, family = resolve(policy, self.dev.record)
            if not is_fitted_by_budget(family):
                if self.options.policies and label != STATIC:
                    raise InputError(f"thresholds for a budget are found for {FITTED_BY_BUDGET}, not for {label}")
                continue
            fitted = budgeted_thresholds(self.dev.record, self.dev.costs, budget_flops, family)
            thresholds = dict(fitted["threshold"])
            values: dict[str, Any] = {}
            for split in self.splits:
                point = split.point(fitted, self.metric).drop(columns=["policy", "threshold"])
                values |= self._values(split.name, point.to_dict("records")[0])
                named = {"split": split.name, "policy": self._shown(label), "thresholds": thresholds}
                parts.append(pd.concat([pd.DataFrame([named]), point], axis=1))
            setting = text_per_exit(label, thresholds)
            rows.append({"policy": self._shown(label), "setting": setting, "thresholds": thresholds, **values})
        if not rows:
            raise InputError(f"thresholds for a budget are found for {FITTED_BY_BUDGET}: name one with --policy")
        return rows, parts

    def remarks(self, policies: Sequence[Sequence[Any]], chosen: Sequence[dict[str, Any]]) -> list[str]:
        """What is known of the policies beforehand, and which of them have no score at all."""
        families = dict(resolve(same[0], self.dev.record) for same in policies)
        scored = {row["policy"] for row in chosen}
        unscored = [shown for label in families if (shown := self._shown(label)) not in scored]
        notes = []
        if unscored and self.options.budget_flops is None:
            notes.append(f"{self.metric} on dev is not defined at any setting of {', '.join(unscored)}")
        if self.options.budget_flops is None:
            notes += [remark for family in families.values() if (remark := getattr(family, "remark", ""))]
        return notes

    def _row(self, label: str, family: Family, target: float, dev: Any, setting: Any) -> dict[str, Any]:
        choose = getattr(family, "swept", None)
        values = self._values("dev", dev)
        for split in self.splits[1:]:
            known = not needs_labels(family)
            point = split.point(setting, self.metric).to_dict("records")[0] if known else dict.fromkeys(dev, math.nan)
            values |= self._values(split.name, point)
        return {
            "policy": self._shown(label),
            "parameter": choose(self.dev.record) if choose else family.parameter,
            "setting": text_of(label, dev["threshold"]),
            "target": target,
            "threshold": dev["threshold"],
            **values,
        }

    def _values(self, split: str, point: Any) -> dict[str, Any]:
        """Score and costs of an operating point in the columns of a split."""
        names = {self.metric: "score", "speed_up": "speed_up", "inference_flops": "inference_flops"}
        names |= {"latency_s": "latency_s"} if self.options.latency is not None else {}
        return {f"{split}_{column}": point[name] for name, column in names.items()}

    def _shown(self, label: str) -> str:
        return f"{label} (calibrated)" if self.options.calibrated and label != STATIC else label


def _has_threshold(policy: Any, label: str) -> bool:
    """Whether a policy came with a value of what its operating points are swept over."""
    name, fields = described(policy)
    parameters = parameters_of(name) or ()
    free = [parameter for parameter in parameters if parameter not in fields]
    given = {free[0] if field == "threshold" and free else field for field in fields}
    fixed = {option.partition("=")[0] for option in label.partition(":")[2].split(",")}
    return bool({"threshold", *parameters} & given - fixed)
