"""The exit policy that a model is served with: as given, or with a threshold chosen on recorded dev logits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from greenexp.errors import InputError
from greenexp.records.policies import STATIC
from greenexp.replay.calibration import temperatures
from greenexp.replay.chosen import at_threshold, chosen_thresholds
from greenexp.replay.family import DEFAULT_POLICY
from greenexp.replay.logits import StoredLogits
from greenexp.replay.naming import described, resolve, text_of, threshold_of
from greenexp.replay.points import operating_point, operating_points
from greenexp.replay.record import ExitCosts, ExitRecord
from greenexp.replay.scores import find_metric

LAST_EXIT: Mapping[str, Any] = {"name": STATIC}
"""The policy under which every answer is that of the last exit that was trained."""


@dataclass(frozen=True, slots=True)
class ServingPolicy:
    """A policy for the engine.

    policy: in any form the engine takes; text: for people; temperatures: exit number -> temperature, None without
    notes: how it was chosen, a sentence each
    """

    policy: Any
    text: str
    temperatures: Mapping[int, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DevScores:
    """What a model scores on dev under a policy, and the two baselines.

    metric: accuracy, for classes, else the sweep's metric; examples: their number
    policy, last_exit: the score under the policy, and if every answer is that of the last trained exit
    majority_share: share of the most frequent class; None for regression
    """

    metric: str
    examples: int
    policy: float
    last_exit: float
    majority_share: float | None


def stepped_exits(trained: Sequence[int], step: int) -> tuple[int, ...]:
    """Every `step`-th of the trained exits, counted from the first, and always the last. InputError for step < 1."""
    if step < 1:
        raise InputError(f"check_every is {step}: at least 1")
    chosen = tuple(trained[step - 1 :: step])
    return chosen if chosen and chosen[-1] == trained[-1] else (*chosen, trained[-1])


def given_policy(policy: Any) -> ServingPolicy:
    """The policy as it was given, in any form of `naming`; None is the default one, which a note says."""
    if policy is None:
        text = _text(DEFAULT_POLICY)
        return ServingPolicy(DEFAULT_POLICY, text, notes=("the default: choose with --policy or --speed-up",))
    return ServingPolicy(policy, policy if isinstance(policy, str) else _text(policy))


def chosen_policy(
    policy: Any, dev: StoredLogits, metric: str, *, speed_up: float | None, calibrated: bool, check_every: int
) -> ServingPolicy:
    """The policy with what dev chooses: a temperature per exit if `calibrated`, the threshold if `speed_up` is given.

    policy: in any form of `naming`, None for the default one; metric: of the dev scores
    speed_up: layers of the encoder / mean layers used, at least; of the thresholds that reach it, the one with the best
        score is taken; check_every: K: every K-th exit will be consulted
    Raises InputError for temperatures of a regression, for a policy that came with a threshold although it is to be
    chosen, and where no threshold is fast enough.
    """
    given = given_policy(policy)
    if speed_up is not None:
        given = replace(given, notes=())
    if calibrated:
        fitted = temperatures(dev.record)
        shown = ", ".join(f"{value:.3g}" for value in fitted.values())
        note = f"temperatures fitted on dev, {len(dev.labels)} examples: {shown}"
        given = replace(given, temperatures=fitted, notes=(*given.notes, note))
    return given if speed_up is None else _fast_enough(given, dev, metric, speed_up, check_every)


def _fast_enough(
    given: ServingPolicy, dev: StoredLogits, metric: str, speed_up: float, check_every: int
) -> ServingPolicy:
    name, fields = described(given.policy)
    if "threshold" in fields:
        raise InputError(f"--speed-up chooses the threshold of {name}: give the policy without one")
    if dev.costs is None:
        raise InputError("--speed-up: the stored dev logits have no costs beside them")
    record, costs = _consulted(dev, dev.costs, given.temperatures, check_every)
    label, family = resolve(given.policy, record)
    points = operating_points(record, family, costs, metric)
    rows = chosen_thresholds(points, [speed_up]).to_dict("records")
    if not rows:
        fastest = points["speed_up"].max()
        raise InputError(f"--speed-up {speed_up:g}: {label} reaches at most {fastest:.3g} on dev with this model")
    row = rows[0]
    worth = f"{metric} {row[metric]:.4f} at speed-up {row['speed_up']:.2f}"
    return replace(
        given,
        policy=at_threshold(family, row["threshold"], record),
        text=text_of(label, row["threshold"]),
        notes=(*given.notes, f"chosen on dev, {len(dev.labels)} examples: {worth}"),
    )


def dev_scores(chosen: ServingPolicy, dev: StoredLogits, metric: str, check_every: int) -> DevScores | None:
    """What the model scores on dev when it is served so; None where that cannot be computed from these logits."""
    if dev.costs is None:
        return None
    record, costs = _consulted(dev, dev.costs, chosen.temperatures, check_every)
    try:
        wanted = find_metric(metric, True) if record.is_regression else "accuracy"
        policy, last_exit = (
            float(operating_point(record, one, costs, wanted)[wanted].iloc[0]) for one in (chosen.policy, LAST_EXIT)
        )
    except (InputError, ImportError, AttributeError):  # a policy without a replay form, or of another package
        return None
    share = None if record.is_regression else majority_share(record.labels.tolist())
    return DevScores(wanted, len(record.labels), policy, last_exit, share)


def majority_share(labels: Sequence[Any]) -> float:
    """Share of the most frequent of some labels: the accuracy of answering it always. NaN without labels."""
    counts = Counter(labels)
    return max(counts.values()) / len(labels) if labels else math.nan


def _consulted(
    dev: StoredLogits, costs: ExitCosts, fitted: Mapping[int, float] | None, check_every: int
) -> tuple[ExitRecord, ExitCosts]:
    """What the engine's policy will see of dev, and the costs of the exits that are consulted.

    FLOPs of exits that are not consulted stay in the costs; here they only decide between equal scores.
    """
    numbers = dev.record.numbers.tolist()
    exits = stepped_exits(numbers, check_every)
    record = dev.record if fitted is None else dev.record.calibrated(fitted)
    return record.only(exits), costs.only([place for place, number in enumerate(numbers) if number in exits])


def _text(policy: Any) -> str:
    """A policy given as an object or a mapping, as text; its own `repr` where it has no other."""
    try:
        label, family = resolve(policy)
        return text_of(label, threshold_of(family))
    except (InputError, ImportError, AttributeError):
        return repr(policy)
