"""What a sweep costs at most, and what it is expected to cost, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from greenexp.errors import FieldError, InputError, about_field
from greenexp.extras import missing_compiler
from greenexp.plan.data import data_key, prepare_data
from greenexp.plan.estimates import Work, estimated, flops_on_test, resource_is_played, work_of
from greenexp.plan.flops import WITHOUT_EFFECT, EpochFlops, epoch_flops, same_cost
from greenexp.plan.foreseen import foreseen
from greenexp.plan.fusing import check_fused
from greenexp.plan.growth import EPOCHS, Growth
from greenexp.plan.levels import (
    KNOWN_BEFORE,
    check_reach,
    expected_cost,
    not_known_before,
    passed_at_once,
    resource_of_brackets,
    within_reach,
)
from greenexp.plan.origins import priced_origins, with_origins
from greenexp.plan.parallel import check_parallel
from greenexp.plan.plans import Plan
from greenexp.plan.prices import Bound, DataContents, Price
from greenexp.records.axes import AXES
from greenexp.records.axes import EPOCHS as EPOCHS_AXIS
from greenexp.records.progress import report_at
from greenexp.records.settings import Settings
from greenexp.records.speeds import Speeds
from greenexp.records.trial import TrialSpec
from greenexp.schedulers.brackets import Bracket
from greenexp.spec.accounting import NO_CARBON_FACTOR, NO_PRICE, priced

if TYPE_CHECKING:
    from greenexp.tasks.prepared import PreparedTask

NOT_CALIBRATED = "not known before something ran on this machine"
NO_ENERGY = "energy was not measured in what ran before"
_ROUNDING = 1e-9
UNKNOWN_SIZE = "the number of configurations is not known before the search ends"
SEARCHED_COST = "depends on the configurations that the search proposes"


def price_plan(
    plan: Plan,
    prepare: Callable[[Settings], PreparedTask] = prepare_data,
    *,
    speeds: Speeds | None = None,
) -> Price:
    """The price of `plan`, without running any of it.

    prepare: trial settings -> tokens, asked once per distinct task and tokeniser
    speeds: what was measured on this machine before. Without it time, energy and what follows stay unknown.
    An open plan is priced as if all its configurations were like the first; what that cannot bound has no `most`.
    Expected FLOPs assume that those who go on cost what the average trial costs, and that none ends by its patience.
    Raises InputError where model, method, metric and data do not fit.
    """
    data: dict[str, PreparedTask] = {}
    epochs, notes = _all_epochs(plan, prepare, data)
    scheduler = plan.expected_scheduler()
    brackets = scheduler.bracket_plan()
    resource = resource_of_brackets(brackets)
    if resource == KNOWN_BEFORE:
        brackets, further = _on_flops(plan, brackets, epochs)
        notes = (*notes, *further)
    if plan.growth is not None:
        epochs *= plan.growth.size or 1  # as if all were like the first
    per_epoch = plan.spec.training.reports_per_epoch
    bound = partial(_bound, brackets=brackets, per_epoch=per_epoch, trials=epochs)
    evaluation = bound([e.evaluation for e in epochs])
    bounds = {
        "trials": _begun(len(epochs), brackets),
        "epochs": _divided(bound([(1.0,) * len(e.training) for e in epochs]), per_epoch),
        "train_flops": bound([e.training for e in epochs]),
    }
    work = work_of(plan, epochs, _on_test(plan, epochs, data), speeds)
    stops = any(bracket.rungs for bracket in brackets)
    estimates, worker_s = estimated(work, judged=resource_is_played(resource), stops=stops)
    bounds = _with_estimates(bounds, estimates, work, speeds)
    if plan.growth is not None:
        bounds, notes = _of_open_plan(bounds, plan.growth), (*notes, _open_note(plan.growth))
    if resource not in (EPOCHS_AXIS, KNOWN_BEFORE):
        bounds = not_known_before(bounds, resource)
    own, origins = bounds, priced_origins(plan.possible_settings())
    bounds, before = with_origins(bounds, origins)
    notes = (*notes, *before, *_missing_here(plan), *(() if speeds is None else speeds.notes))
    patience = any(trial.settings.training.patience is not None for trial in plan.trials)
    exact = scheduler.expected_epochs.exact and not patience and plan.complete
    return Price(
        bounds,
        evaluation,
        brackets,
        exact=exact,
        patience=patience,
        notes=notes,
        data=_contents(data),
        worker_s=worker_s,
        foreseen=foreseen(work, speeds),
        own=own,
        origins=origins,
    )


def _on_test(plan: Plan, epochs: Sequence[EpochFlops], data: Mapping[str, PreparedTask]) -> float:
    """FLOPs of evaluating one trial on test: the first trial's, as nobody knows which will be chosen."""
    return flops_on_test(epochs[0], data[data_key(plan.trials[0].settings)])


def _on_flops(
    plan: Plan, brackets: tuple[Bracket, ...], epochs: Sequence[EpochFlops]
) -> tuple[tuple[Bracket, ...], tuple[str, ...]]:
    """The brackets with the rungs that a trial comes to, and notes. FieldError where there are none."""
    reachable = within_reach(brackets, epochs)
    if plan.complete:  # the configurations of an open plan may cost more than its first
        check_reach(brackets, reachable, epochs)
    return reachable, passed_at_once(reachable, epochs)


def _missing_here(plan: Plan) -> Iterator[str]:
    """What the trials need and this machine has not."""
    elsewhere = "it takes another machine, or a cluster (--address)"
    compiled = any(settings.training.compile for settings in plan.possible_settings())
    if compiled and (compiler := missing_compiler()) is not None:
        yield f"training.compile is true, and there is no C++ compiler '{compiler}' on this machine: {elsewhere}"
    gpus = plan.spec.resources.gpus_per_trial
    if gpus <= 0:
        return
    import torch

    if not torch.cuda.is_available():
        missing = "there is no GPU on this machine that torch can use"
        yield f"resources.gpus_per_trial is {gpus:g}, and {missing}: {elsewhere}"


def _contents(data: Mapping[str, PreparedTask]) -> tuple[DataContents, ...]:
    return tuple(DataContents(each.max_length, each.contents) for each in data.values() if each.contents)


def _whose(trial: TrialSpec) -> str:
    """The searched values of a trial that cannot run: the user knows them, and not its name."""
    values = ", ".join(f"{path} {value}" for path, value in trial.searched.items())
    return f"with {values}: " if values else ""


def _of_open_plan(bounds: Mapping[str, Bound], growth: Growth) -> dict[str, Bound]:
    """Bounds worked out as if all configurations were like the first, with what that does not tell taken out."""
    if growth.size is None:
        return {axis: Bound(None, None, UNKNOWN_SIZE) for axis in bounds}
    fixed = {"trials", *(() if EPOCHS in growth.space else ("epochs",))}
    if all(path.removeprefix("training.") in WITHOUT_EFFECT for path in growth.space):
        return dict(bounds)
    return {
        axis: bound if axis in fixed or bound.expected is None else replace(bound, most=None, reason=SEARCHED_COST)
        for axis, bound in bounds.items()
    }


def _open_note(growth: Growth) -> str:
    if growth.size is None:
        return f"no price: {UNKNOWN_SIZE}; a budget limits what is spent"
    return "the search proposes the configurations while the sweep runs; the price is as if all were like the first"


def _all_epochs(
    plan: Plan, prepare: Callable[[Settings], PreparedTask], data: dict[str, PreparedTask]
) -> tuple[list[EpochFlops], tuple[str, ...]]:
    """Per trial, computed once for trials of the same cost; and notes on the data, which `data` then has by key."""
    known: dict[str, EpochFlops] = {}
    result = []
    notes: dict[str, None] = {}
    for trial in plan.trials:
        cost = same_cost(trial)
        if cost not in known:
            try:
                key = data_key(trial.settings)
                if key not in data:
                    data[key] = prepare(trial.settings)
                    notes.update(dict.fromkeys(_check_metric(plan, data[key])))
                known[cost] = epoch_flops(trial, data[key])
            except FieldError:
                raise
            except InputError as error:
                raise InputError(f"{_whose(trial)}{error}") from error
        result.append(known[cost])
    check_fused(plan, prepare)
    check_parallel(plan, prepare)
    return result, tuple(notes)


def _check_metric(plan: Plan, data: PreparedTask) -> tuple[str, ...]:
    """A note if the metric is the default, and the task is scored by others."""
    from greenexp.tasks.metrics import check_metric_of_sweep

    metric = plan.spec.metric
    with about_field("metric.name"):
        check_metric_of_sweep(metric.name, metric.mode, data.num_labels, masks=data.masking is not None)
    if metric.name != "accuracy" or metric.name in data.metrics:
        return ()
    return (f"metric.name is {metric.name}; the task's own metric is {', '.join(data.metrics)}",)


def _bound(
    per_trial: Sequence[Sequence[float]], brackets: Iterable[Bracket], per_epoch: int, trials: Sequence[EpochFlops]
) -> Bound:
    """All reports of all trials; and those a scheduler with these brackets leaves, at the mean cost of each report.

    per_trial: costs of each trial's reports, of which an epoch has `per_epoch`; trials: the FLOPs of these reports
    Where no bracket has a rung, everything runs: the two are equal even if trials differ in their epochs.
    """
    brackets = tuple(brackets)
    most = float(sum(sum(epochs) for epochs in per_trial))
    resource = resource_of_brackets(brackets)
    if resource not in (EPOCHS_AXIS, KNOWN_BEFORE) or not any(bracket.rungs for bracket in brackets):
        return Bound(most, most)
    if resource == KNOWN_BEFORE:
        return Bound(most, expected_cost(per_trial, trials, brackets, _trials_per_unit(len(per_trial), brackets)))
    cumulative = np.concatenate([[0.0], np.cumsum(np.mean(np.array(per_trial, dtype=np.float64), axis=0))])
    per_unit = _trials_per_unit(len(per_trial), brackets)
    expected = sum(per_unit(bracket) * _bracket_cost(bracket, cumulative, per_epoch) for bracket in brackets)
    return Bound(most, float(expected))


def _trials_per_unit(trials: int, brackets: Sequence[Bracket]) -> Callable[[Bracket], float]:
    """Of each bracket, how many trials one of its stretches' trials stands for: all seeds, where it counts none."""
    each = trials / sum(bracket.units for bracket in brackets)
    return lambda bracket: each / (bracket.seeds or 1)


def _begun(trials: int, brackets: Sequence[Bracket]) -> Bound:
    """All trials; and those that are expected to begin, without the seeds that are given up."""
    per_unit = _trials_per_unit(trials, brackets)
    held = any(bracket.seeds for bracket in brackets)
    begun = sum(per_unit(bracket) * bracket.begun for bracket in brackets)
    return Bound(float(trials), begun if held else float(trials))


def _bracket_cost(bracket: Bracket, cumulative: Any, per_epoch: int) -> float:
    """Cost of a bracket's stretches; `cumulative[k]` is the cost of the first k reports."""
    return float(
        sum(
            each.trials * (cumulative[report_at(each.until, per_epoch)] - cumulative[report_at(each.after, per_epoch)])
            for each in bracket.stretches
        )
    )


def _divided(bound: Bound, parts: int) -> Bound:
    return Bound((bound.most or 0.0) / parts, (bound.expected or 0.0) / parts)


def _with_estimates(
    bounds: Mapping[str, Bound], estimates: Mapping[str, Bound], work: Work, speeds: Speeds | None
) -> dict[str, Bound]:
    """Every axis: what is counted with its interval, and what is measured as far as something was measured before."""
    found = {}
    for axis in AXES:
        counted, estimate = bounds.get(axis), estimates.get(axis)
        if counted is None:
            found[axis] = estimate or Bound(None, None, _why_unknown(axis, work, speeds))
        elif counted.expected in (None, counted.most) or estimate is None or estimate.low is None:
            found[axis] = counted
        else:  # the expectation over random orders may lie beside the draws, which know the slots
            low, high = min(estimate.low, counted.expected), max(estimate.high or 0.0, counted.expected)
            is_certain = high - low <= _ROUNDING * high
            found[axis] = counted if is_certain else replace(counted, low=low, high=high)
    return found


def _why_unknown(axis: str, work: Work, speeds: Speeds | None) -> str:
    accounting = work.plan.spec.accounting
    if axis == "carbon_g" and accounting.carbon_g_per_kwh is None:
        return NO_CARBON_FACTOR
    if axis == "money" and not priced(accounting):
        return NO_PRICE
    if work.timed and speeds is not None:
        return NO_ENERGY
    kinds = {id(speed): speed for speed in work.speeds}
    if len(kinds) > 1:
        return f"{NOT_CALIBRATED}, with every backbone, length and precision of this sweep"
    return NOT_CALIBRATED
