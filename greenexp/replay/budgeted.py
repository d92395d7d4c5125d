"""A threshold of its own for each exit, so that the mean cost on a record meets a budget (MSDNet's budgeted batch).

Huang et al. 2018, section 5.2: the share of examples that leaves at exit k of M is p_k = z q^k, one number q for all
exits, and the most confident leave first. Here N (p_1 + ... + p_k), rounded down, is how many are to have left by exit
k, and the threshold at k is the confidence of the one of those remaining that completes this number. (The authors' code
rounds N p_k down at each exit by itself, so what rounding and ties cost at one exit is never made good at the next.)
q is solved on what the record's examples really cost: those who leave early are often the short ones, so the sum of p_k
times the exits' mean costs, as in the paper, would miss the budget. What is found is therefore never above the budget
on the record it was found on, and below it by ties, and by what one example more at some exit would cost.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from greenexp.errors import InputError
from greenexp.replay.confidence import Confidence
from greenexp.replay.entropy import NOBODY as NO_ENTROPY
from greenexp.replay.entropy import EntropyReplay
from greenexp.replay.family import Family
from greenexp.replay.max_probability import NOBODY as NO_PROBABILITY
from greenexp.replay.max_probability import MaxProbabilityReplay
from greenexp.replay.naming import resolve
from greenexp.replay.outcomes import checked_costs
from greenexp.replay.points import operating_point
from greenexp.replay.record import ExitCosts, ExitRecord, Ints
from greenexp.replay.softmax import entropy, max_probability
from greenexp.units import format_quantity

_STEEPEST = 40.0
"""|log q| at which all examples leave at one end: exp(-40) is lost beside 1 in float64."""
_FINE = 1e-7
"""Width of log q at which bisection ends: it moves the share of an exit by less than one in a million."""


FITTED_BY_BUDGET = "max_probability and entropy"
"""The policies whose thresholds can be found for a budget, for messages."""


@dataclasses.dataclass(frozen=True)
class _Cut:
    """Limits of the exits but the last, inf where nobody leaves, and what the examples cost with them, in total."""

    limits: tuple[float, ...]
    cost: int


class _Cuts:
    """From log q to thresholds and costs; remembers them, since budgets share most of their bisection.

    confidence: [exit, example], more is more confident, NaN never; cost: int64 [exit, example]
    """

    def __init__(self, confidence: Confidence, cost: Ints) -> None:
        self._confidence, self._cost = confidence, cost
        self._most_confident_first = [
            np.argsort(-row, kind="stable")[: np.count_nonzero(~np.isnan(row))] for row in confidence[:-1]
        ]
        self._known: dict[float, _Cut] = {}

    def at(self, log_q: float) -> _Cut:
        """The thresholds for one q."""
        if log_q not in self._known:
            self._known[log_q] = self._found(log_q)
        return self._known[log_q]

    @property
    def range(self) -> tuple[int, int]:
        """Total costs when all leave as early as they can, and when all stay to the last exit."""
        return self.at(-_STEEPEST).cost, self.at(_STEEPEST).cost

    def within(self, budget: float) -> _Cut:
        """The thresholds of the largest q that meets a budget in total cost, which is not below `range`."""
        low, high = -_STEEPEST, _STEEPEST
        if self.at(high).cost <= budget:
            return self.at(high)
        while high - low > _FINE:
            middle = (low + high) / 2
            low, high = (middle, high) if self.at(middle).cost <= budget else (low, middle)
        return self.at(low)

    def _found(self, log_q: float) -> _Cut:
        exits, examples = self._confidence.shape
        weight = np.exp(log_q * np.arange(exits) - max(0.0, log_q * (exits - 1)))
        to_leave = np.floor(examples * np.cumsum(weight / weight.sum())).astype(np.int64)
        taken = np.full(examples, exits - 1)
        inside = np.ones(examples, dtype=np.bool_)
        limits = []
        for place, ranked in enumerate(self._most_confident_first):
            waiting = ranked[inside[ranked]]
            count = min(to_leave[place] - (examples - np.count_nonzero(inside)), len(waiting))
            limit = float(self._confidence[place, waiting[count - 1]]) if count > 0 else np.inf
            leaving = waiting[self._confidence[place, waiting] >= limit]
            taken[leaving], inside[leaving] = place, False
            limits.append(limit)
        return _Cut(tuple(limits), int(self._cost[taken, np.arange(examples)].sum()))


def budgeted_thresholds(
    record: ExitRecord,
    costs: ExitCosts,
    budget_flops: float | None = None,
    family: Any = "max_probability",
    *,
    budget_layers: float | None = None,
) -> dict[str, Any]:
    """The policy `{"name": ..., "threshold": {exit: threshold}}` whose mean cost on the record meets a budget.

    budget_flops: mean inference FLOPs per example, the exits evaluated on the way included; or budget_layers: mean
    layers. family: `max_probability` or `entropy`, with options if wanted; its own threshold does not matter.
    The mapping has all exits but the last, where everybody leaves who is left (with one exit, that one). A budget above
    the cost of the last exit keeps all to it. Raises InputError for a budget below what leaving as early as possible
    costs, for one budget too few or too many, and as `operating_points` does.
    """
    if (budget_flops is None) == (budget_layers is None):
        raise InputError("give either budget_flops or budget_layers, the mean per example")
    in_layers = budget_flops is None
    budget = float(budget_layers if in_layers else budget_flops)  # type: ignore[arg-type]  # one of them is given
    label, replay = resolve(family, record)
    cuts = _cuts(record, costs, label, replay, in_layers)
    least, most = (total / len(record.labels) for total in cuts.range)
    if not budget >= least:
        asked, low, high = (f"{v:.6g}" if in_layers else format_quantity(v, "FLOP") for v in (budget, least, most))
        unit = " layers" if in_layers else ""
        raise InputError(f"a budget of {asked}{unit} cannot be met: allowed are {low} to {high}, or more")
    return _policy(record, label, replay, cuts.within(budget * len(record.labels)))


def budgeted_points(
    record: ExitRecord,
    costs: ExitCosts,
    points: int = 50,
    family: Any = "max_probability",
    *,
    in_layers: bool = False,
    metric: str | None = None,
) -> pd.DataFrame:
    """The curve of budgets: policy, setting, budget_flops (or budget_layers) and the columns of an operating point.

    points: budgets, evenly spaced from the least that can be met to the cost of the last exit. The costs are those
    realised on the record, so they differ from the budget by ties and by whole examples. setting: text that is the
    policy with its thresholds again. family: see `budgeted_thresholds`; metric: see `operating_points`.
    """
    if points < 2:
        raise InputError(f"a curve of budgets has at least 2 points, its ends; received points={points}")
    label, replay = resolve(family, record)
    cuts = _cuts(record, costs, label, replay, in_layers)
    rows = []
    for total in np.linspace(*cuts.range, points):
        policy = _policy(record, label, replay, cuts.within(total))
        row = operating_point(record, policy, costs, metric).drop(columns="threshold")
        row = row.rename(columns={"policy": "setting"})  # with thresholds per exit, the label is the whole policy
        row.insert(0, "policy", label)
        row.insert(2, "budget_layers" if in_layers else "budget_flops", total / len(record.labels))
        rows.append(row)
    return pd.concat(rows, ignore_index=True)


def _cuts(record: ExitRecord, costs: ExitCosts, label: str, family: Family, in_layers: bool) -> _Cuts:
    checked_costs(record, costs)
    by_length = np.broadcast_to(costs.layers[:, None], costs.dynamic_flops.shape) if in_layers else costs.dynamic_flops
    return _Cuts(_confidence(record, label, family), by_length[:, costs.columns(record.lengths)])


def _confidence(record: ExitRecord, label: str, family: Family) -> Confidence:
    """[exit, example], more is more confident; an uncertainty with its sign turned, which in floats is exact."""
    if isinstance(family, MaxProbabilityReplay):
        return max_probability(record)
    if isinstance(family, EntropyReplay):
        return -entropy(record, family.normalised)
    raise InputError(f"thresholds for a budget are found for {FITTED_BY_BUDGET}, not for '{label}'")


def is_fitted_by_budget(family: Family) -> bool:
    """Whether thresholds of this policy can be found for a budget."""
    return isinstance(family, MaxProbabilityReplay | EntropyReplay)


def _policy(record: ExitRecord, label: str, family: Any, cut: _Cut) -> dict[str, Any]:
    sign, nobody = (1, NO_PROBABILITY) if isinstance(family, MaxProbabilityReplay) else (-1, NO_ENTROPY)
    numbers = record.numbers[: max(len(cut.limits), 1)].tolist()
    limits = np.array(cut.limits or [np.inf], dtype=np.float32)
    stays = np.isinf(limits)
    if family.comparator in {">", "<"}:  # the example at the limit leaves too
        limits = np.nextafter(limits, np.float32(-np.inf))
    thresholds = np.where(stays, nobody, sign * limits.astype(np.float64)).tolist()
    return {"name": label, "threshold": dict(zip(numbers, thresholds, strict=True))}
