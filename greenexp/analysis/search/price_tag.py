"""The price tag of a result: what the whole search cost, what the chosen model cost, and what a further point costs.

Schwartz et al. (Green AI, CACM 2020) take the cost of a result R as

    Cost(R) ~ E * D * H

    E   cost of one example: here of one training example, as the mean over the trials: training FLOPs, and joules where
        energy was measured, which evaluations on dev and the set-up of trials are part of
    D   size of the training set: examples that a trial sees in an epoch
    H   number of experiments: trials that were started

The product leaves the number of epochs out. With S the training examples seen by all trials, E * S is what was spent,
and S / (D H) the mean number of epochs per trial, so E * D * H is the cost of one epoch of every trial.

Three scopes. `search`: all trials, also stopped, failed and repeated work, as the ledger counts it. `configuration`:
all seeds of the configuration that was chosen on dev. `model`: the one of these trials that is best on dev. What
trained the models of other sweeps that trials began with, such as teachers, is a quantity and a part of its own.

The last gain. Where configurations are independent draws, with scores y_(1) <= ... <= y_(N) (mean over seeds), the
N-th draw adds U_N - U_(N-1) = (y_(N) - y_(N-1)) / N to the expected best (`curves.tuning_curve`) and costs 1/N of the
search. Otherwise the gain is that of the best so far, from the best before the last improvement to the end, and its
cost all that was spent after the former was in hand. The price of a point is 0.01 cost / gain. A gain of 0 has no such
price: the curve is flat.

Assumptions: scores are on dev, which also chose, so the last gain is partly luck; over one search it is one number
without an interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.findings import Findings
from greenexp.analysis.search.last_gain import LastGain, last_gain, sentences_of_gain
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.savings import abandoned
from greenexp.records.origins import OriginFact, origin_name, origins_flops, recorded_origins
from greenexp.records.tables import SweepTables
from greenexp.spec.accounting import NO_EMBODIED_FACTOR, embodied_g

SCOPES = ("search", "configuration", "model")
PRICE_COLUMNS = ("quantity", "unit", *SCOPES, "reason")
PART_COLUMNS = ("part", "trials", "worker_s", "train_flops", "energy_j", "carbon_g", "money", "share")
REPEATED = "trained twice or lost"
"""The part that is also in the other parts."""
ORIGIN = "before this sweep: "
"""Begins the name of a part that another sweep's training is."""
NOT_ON_RECORD = "what the training of a model that lies in no sweep's folder cost is not on record"
_SUMMED = ("train_flops", "eval_flops", "energy_j", "carbon_g", "money")
_UNITS = {
    "parameters": "", "experiments": "", "training_set": "", "examples_seen": "", "example_flops": "FLOP",
    "example_j": "J", "product_flops": "FLOP", "product_j": "J", "worker_s": "s", "gpu_s": "s", "core_s": "s",
    "train_flops": "FLOP", "origin_flops": "FLOP", "eval_flops": "FLOP", "energy_j": "J", "overhead_j": "J",
    "carbon_g": "g", "embodied_g": "g", "money": "money",
}  # fmt: skip
"""Quantity -> its unit. parameters: NaN where models differ; core_s: seconds x CPU cores that trials held;
example_*: E; product_*: E * D * H; origin_flops: of training the models of other sweeps that trials began with."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """Trials and their reports."""

    trials: pd.DataFrame
    epochs: pd.DataFrame

    def total(self, cost: str) -> float:
        """The sum over trials that reported something; NaN as soon as one of them was not measured."""
        reported = self.trials[self.trials["epochs"] > 0]
        return float(reported[cost].sum()) if len(reported) and reported[cost].notna().all() else math.nan

    @property
    def worker_s(self) -> float:
        """Seconds for which workers were held."""
        return float(self.trials["wall_s"].sum() + self.trials["lost_wall_s"].sum())


def price_tag(tables: SweepTables, trial: str = "") -> Findings:
    """What a sweep and its chosen model cost, and what one more point costs at the end of its tuning curve.

    Parameters
    ----------
    tables : SweepTables, required
        Of a whole sweep or of one in progress.
    trial : str, optional
        Another model than the best on dev of the chosen configuration.

    Returns
    -------
    Findings
        `price`: quantity, unit, search, configuration, model (NaN: not measured, or not of this scope), reason.
        `parts`: part, trials, worker_s, train_flops, energy_j, carbon_g, money, share (of the training FLOPs): what the
        search was spent on; the last row is also in the others.
        `last_gain`: axis, unit, gain, cost, per_point, as of `analysis.search.last_gain`.
        A refusal while nothing has been reported.

    """
    if tables.epochs.empty:
        return Findings(refusal="nothing has been reported yet")
    chosen = chosen_trials(tables)
    scopes = [_Scope(tables.trials, tables.epochs)]
    scopes += [
        _Scope(tables.trials[tables.trials["trial"].isin(trials)], tables.epochs[tables.epochs["trial"].isin(trials)])
        for trials in (chosen.trials, (trial,) if trial else chosen.trials[:1])
    ]
    price = _price(tables, scopes)
    parts = _parts(tables, chosen.configuration, chosen.trials)
    gain = last_gain(tables, expected_best(tables))
    return Findings(
        verdict=sentences_of_gain(gain, tables),
        tables={"price": price, "parts": parts, "last_gain": gain.table},
        titles={
            "price": "What the search, the chosen configuration and its best model cost",
            "parts": "What the search was spent on",
            "last_gain": "What the last gain cost",
        },
        notes=_notes(tables, price, gain),
    )


def amounts(found: Findings, scope: str) -> dict[str, float]:
    """Quantity -> its amount for one of `SCOPES`, NaN where there is none; found: of `price_tag`, without a refusal."""
    return _column(found["price"], "quantity", scope)


def _column(frame: pd.DataFrame, key: str, name: str) -> dict[str, Any]:
    return dict(zip(frame[key].tolist(), frame[name].tolist(), strict=True))


def _price(tables: SweepTables, scopes: Sequence[_Scope]) -> pd.DataFrame:
    used = _column(tables.ledger, "axis", "used")  # the one home of the sweep's totals
    columns = [_quantities(tables, scope) for scope in scopes]
    columns[0] |= {axis: used[axis] for axis in ("gpu_s", "train_flops", "energy_j", "carbon_g", "money")}
    columns[0]["experiments"] = used["trials"]
    for column in columns:
        _multiply(column)
    columns[0]["overhead_j"] = float(tables.energy["overhead_j"].sum())
    origins = recorded_origins(tables.history.sessions)
    columns[0]["origin_flops"] = origins_flops(origins)
    optional = {"overhead_j": len(tables.energy), "origin_flops": len(origins)}
    reasons = {axis: str(reason or "") for axis, reason in _column(tables.ledger, "axis", "reason").items()}
    energy = "energy was not measured" if reasons.get("energy_j") else ""
    reasons |= {"example_j": energy, "product_j": energy, "embodied_g": NO_EMBODIED_FACTOR}
    reasons["origin_flops"] = NOT_ON_RECORD if math.isnan(columns[0]["origin_flops"]) else ""
    rows = [
        (name, unit, *(column.get(name, math.nan) for column in columns), reasons.get(name, ""))
        for name, unit in _UNITS.items()
        if optional.get(name, 1)
    ]
    return pd.DataFrame(rows, columns=list(PRICE_COLUMNS))


def _quantities(tables: SweepTables, scope: _Scope) -> dict[str, float]:
    resources, accounting = tables.spec.resources, tables.spec.accounting
    seen = float(scope.epochs["examples"].sum())
    found = {name: scope.total(name) for name in (*_SUMMED, "gpu_s")}
    found |= {
        "parameters": _shared(scope.trials["parameters"].dropna().tolist()),
        "experiments": float((scope.trials["attempts"] > 0).sum()),
        "training_set": _training_set(scope, tables.spec.training.reports_per_epoch),
        "examples_seen": seen if len(scope.epochs) else math.nan,
        "worker_s": scope.worker_s if len(scope.trials) else math.nan,
    }
    found["core_s"] = found["worker_s"] * resources.cpus_per_trial
    known = [None if math.isnan(found[name]) else found[name] for name in ("gpu_s", "core_s")]
    embodied = embodied_g(known[0], known[1], accounting)
    return found | {"embodied_g": math.nan if embodied is None else embodied}


def _multiply(found: dict[str, float]) -> None:
    """E and E * D * H in both currencies, from what was spent and seen."""
    for name, total in (("flops", "train_flops"), ("j", "energy_j")):
        each = found[total] / found["examples_seen"] if found["examples_seen"] > 0 else math.nan
        found[f"example_{name}"] = each
        found[f"product_{name}"] = each * found["training_set"] * found["experiments"]


def _shared(numbers: Sequence[float]) -> float:
    """The number, if there is one and it is the same for all."""
    return float(numbers[0]) if len(set(numbers)) == 1 else math.nan


def _training_set(scope: _Scope, reports_per_epoch: int) -> float:
    """D: examples of an epoch, from whole epochs; the mean over trials where their training sets differ."""
    reports = scope.epochs[~scope.epochs["repeated"]]
    sums = reports.groupby("trial")["examples"].agg(["sum", "size"])
    each = sums["sum"] / (sums["size"] / reports_per_epoch)
    return float(each.mean()) if len(each) else math.nan


def _parts(tables: SweepTables, configuration: str, chosen: Sequence[str]) -> pd.DataFrame:
    trials = tables.trials
    picked = trials["trial"].isin(chosen)
    ended_by_failure = abandoned(tables)
    of_status: dict[str, Callable[[pd.Series[str]], pd.Series[bool]]] = {
        "finished, not chosen": lambda status: status == "finished",
        "stopped early": lambda status: (status == "stopped") & ~ended_by_failure,
        "failed, or ended with a failed seed": lambda status: (status == "failed") | ended_by_failure,
        "not ended": lambda status: ~status.isin(["finished", "stopped", "failed"]),
    }
    masks = {f"chosen configuration {configuration}".strip() if configuration else "best trial": picked}
    masks |= {name: ~picked & of(trials["status"]) for name, of in of_status.items()}
    rows = [_part(name, _Scope(trials[mask], tables.epochs)) for name, mask in masks.items() if mask.any()]
    again = tables.epochs[tables.epochs["repeated"]]
    lost = float(again["wall_s"].sum() + trials["lost_wall_s"].sum())
    origins = recorded_origins(tables.history.sessions)
    rows += [_origin(one) for one in origins]
    if lost > 0:
        ledger = _column(tables.ledger, "axis", "lost")
        costs = [ledger.get(axis, math.nan) for axis in PART_COLUMNS[3:7]]
        rows.append((REPEATED, again["trial"].nunique(), lost, *costs))
    frame = pd.DataFrame(rows, columns=list(PART_COLUMNS[:-1]))
    whole = _Scope(trials, tables.epochs).total("train_flops") + origins_flops(origins)
    return frame.assign(share=frame["train_flops"] / whole if whole > 0 else np.nan)


def _part(name: str, scope: _Scope) -> tuple[object, ...]:
    began = int((scope.trials["attempts"] > 0).sum())
    return (name, began, scope.worker_s, *(scope.total(cost) for cost in PART_COLUMNS[3:7]))


def _origin(origin: OriginFact) -> tuple[object, ...]:
    """The part of a sweep whose models trials began with: of it the training FLOPs alone are known."""
    spent = math.nan if origin["train_flops"] is None else origin["train_flops"]
    return (f"{ORIGIN}{origin_name(origin)}", None, math.nan, spent, math.nan, math.nan, math.nan)


def _notes(tables: SweepTables, price: pd.DataFrame, gain: LastGain) -> tuple[str, ...]:
    search = _column(price, "quantity", "search")
    resources = tables.spec.resources
    named = {str(device) for device in tables.epochs["device"] if device}
    devices = sorted("the CPU" if device == "cpu" else device for device in named)
    held = f"CPU cores held by a trial: {resources.cpus_per_trial}; GPUs: {resources.gpus_per_trial:g}."
    notes = [
        *([f"Trials ran on {', '.join(devices)}. {held}"] if devices else []),
        "The search is all trials: finished, stopped, failed, with repeated and lost work as far as it was measured.",
        (
            "E·D·H after Schwartz et al. (2020): cost of a training example × examples in the training set × "
            "experiments. It is the cost of one epoch of every trial; what was spent is E × the examples seen."
        ),
    ]
    if gain.gain > 0:
        notes.append(
            "The price of a point takes the last gain as a rate. Gains become smaller as a search goes on, so it is "
            "the least that a further point costs, if one can be had at all; and the gain is one of dev scores, which "
            "also chose."
        )
    if gain.gain > 0 and gain.bound:
        notes.append(
            f"Some trials were stopped early, and their scores are {gain.bound}s: the last gain may be too large, and "
            "the price of a point too low."
        )
    sizes = [_column(price, "quantity", scope)["training_set"] for scope in SCOPES]
    if len({size for size in sizes if not math.isnan(size)}) > 1:
        notes.append("Trials saw training sets of different sizes; D is the mean over trials.")
    if not math.isnan(search["embodied_g"]):
        notes.append(
            "Embodied carbon is for the hours that GPUs and CPU cores were held, by the factors in the sweep file; it "
            "is not part of CO2e, which is of the energy used."
        )
    if "overhead_j" in search:
        notes.append("Energy that belongs to no trial is a figure of its own and not part of the energy above.")
    if tables.history.complete is False:
        notes.append("The sweep is not complete: its price will rise.")
    return tuple(notes)
