"""Several sweeps side by side: what they measure, what they found, what they cost, and which can be compared.

Two sweeps can be compared if task, data, metric, exit and direction are the same, as far as both have recorded them,
the rule of `greenexp compare`. That is the least: spaces, seeds and budgets may differ, and the better score of the
sweep that tried more is no proof of a better method; `greenexp compare` sets equal budgets side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from greenexp.analysis.comparing.measured import measured_by, what_differs, what_is_unknown
from greenexp.analysis.curves.best_so_far import best_so_far_over, not_measured
from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.views.columns import COLUMNS, described, of_axis, of_score
from greenexp.analysis.views.named import check_one_of
from greenexp.errors import InputError
from greenexp.records.axes import AXES, EPOCHS
from greenexp.records.tables import SweepTables

SWEEPS = (
    "sweep", "group", "task", "metric", "exit", "mode", "data", "complete", "search", "scheduler", "configurations",
    "planned", "finished", "stopped", "failed", "chosen", "seeds", "score_mean", "score_std", "state", "test_mean",
    "test_std", "test_uses", *AXES,
)  # fmt: skip
PAIRS = ("a", "b", "comparable", "reason", "unknown")
INCUMBENT = ("sweep", "group", "cost", "score", "trial", "configuration", "epoch", "time_s", "improved")


def compared_sweeps(sweeps: Mapping[str, SweepTables], axis: str = EPOCHS) -> Findings:
    """Tables `sweeps` (SWEEPS, a row each), `pairs` (PAIRS) and `incumbent` (INCUMBENT, the best so far over `axis`).

    sweeps: name -> tables; axis: a budget axis. InputError for an unknown axis and for no sweep
    group: from 1, the same for sweeps that can all be compared; the columns of budget axes: what was used, `wall_s`
    elapsed; planned: trials; score_mean, score_std, test_mean, test_std: of the chosen configuration over seeds, NaN
    where not known
    Column `cost` of `incumbent` is in the unit of the axis, over all trials; a sweep that lacks a measurement on it is
    left out, with a note.
    """
    if not sweeps:
        raise InputError("no sweep to compare is named")
    check_one_of("axis", axis, AXES)
    pairs = _pairs(sweeps)
    groups = _groups(list(sweeps), pairs)
    rows = pd.DataFrame([_row(name, tables, groups[name]) for name, tables in sweeps.items()], columns=list(SWEEPS))
    incumbent, missing = _incumbents(sweeps, axis, groups)
    first = metric_of(next(iter(sweeps.values())))
    apart = int((~pairs["comparable"]).sum())
    return Findings(
        verdict=(_verdict(rows, apart, len(pairs)),),
        tables={
            "sweeps": rows, "pairs": pairs, "incumbent": incumbent,
            COLUMNS: described(of_axis(axis, "cost", summed=True), of_score(first)),
        },
        titles={
            "sweeps": "Sweeps", "pairs": "Which sweeps can be compared",
            "incumbent": f"Best so far over {AXES[axis].sum_title.lower()}", COLUMNS: "Columns",
        },
        notes=(
            *missing,
            "The best score of a sweep that tried more is better by that alone: compare at equal budgets.",
            "Dev scores are those that configurations were chosen by, so that the best of them is optimistic.",
        ),
        warnings=tuple(dict.fromkeys(text for tables in sweeps.values() for text in tables.remarks.warnings)),
    )  # fmt: skip


def _pairs(sweeps: Mapping[str, SweepTables]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for a, b in combinations(sweeps, 2):
        kinds = [measured_by(sweeps[name], name) for name in (a, b)]
        modes = [metric_of(sweeps[name]).mode for name in (a, b)]
        reason = what_differs(kinds)
        if not reason and modes[0] != modes[1]:
            reason = f"the best score is the {_best(modes[0])} in {a} and the {_best(modes[1])} in {b}"
        rows.append((a, b, not reason, reason, what_is_unknown(kinds)))
    return pd.DataFrame(rows, columns=list(PAIRS)).astype({"comparable": "bool"})


def _best(mode: str) -> str:
    return "least" if mode == "min" else "greatest"


def _groups(names: list[str], pairs: pd.DataFrame) -> dict[str, int]:
    """Name -> number of its group: each joins the first group with all of whose members it can be compared."""
    fits = {frozenset((a, b)) for a, b, ok in zip(pairs["a"], pairs["b"], pairs["comparable"], strict=True) if ok}
    members: list[list[str]] = []
    for name in names:
        group = next((one for one in members if all(frozenset((name, other)) in fits for other in one)), None)
        if group is None:
            members.append([name])
        else:
            group.append(name)
    return {name: number for number, group in enumerate(members, start=1) for name in group}


def _row(name: str, tables: SweepTables, group: int) -> dict[str, Any]:
    kind, metric, trials = measured_by(tables), metric_of(tables), tables.trials
    used = dict(zip(tables.ledger["axis"], tables.ledger["used"], strict=True))
    counts = trials["status"].value_counts()
    configurations = configuration_table(tables).dropna(subset=["score_mean"])
    best = configurations.iloc[0] if len(configurations) else None
    test = held_out(tables)
    of_chosen = test is not None and best is not None and test.configuration == best["configuration"]
    scores = test.latest["test_score"] if test is not None and of_chosen else pd.Series(dtype="float64")
    return {
        "sweep": name, "group": group, "task": kind.task, "metric": metric.name, "exit": metric.exit,
        "mode": metric.mode, "data": kind.data[:12], "complete": tables.history.complete,
        "search": tables.spec.search.name, "scheduler": tables.spec.scheduler.name,
        "configurations": trials["configuration"].nunique(), "planned": len(trials),
        **{status: int(counts.get(status, 0)) for status in ("finished", "stopped", "failed")},
        "chosen": "" if best is None else best["configuration"], "seeds": 0 if best is None else int(best["seeds"]),
        "score_mean": math.nan if best is None else best["score_mean"],
        "score_std": math.nan if best is None else best["score_std"], "state": "" if best is None else best["state"],
        "test_mean": float(scores.mean()), "test_std": float(scores.std()),
        "test_uses": 0 if test is None else test.uses,
        **{axis: used.get(axis, math.nan) for axis in AXES},
    }  # fmt: skip


def _incumbents(
    sweeps: Mapping[str, SweepTables], axis: str, groups: Mapping[str, int]
) -> tuple[pd.DataFrame, list[str]]:
    parts, missing = [], []
    for name, tables in sweeps.items():
        why = not_measured(tables, axis) or ("nothing has been reported" if tables.epochs.empty else "")
        if why:
            missing.append(f"{name} is not drawn over {axis}: {why}.")
            continue
        parts.append(best_so_far_over(tables, axis).assign(sweep=name, group=groups[name]))
    if not parts:
        return pd.DataFrame(columns=list(INCUMBENT)), missing
    return pd.concat(parts, ignore_index=True)[list(INCUMBENT)], missing


def _verdict(rows: pd.DataFrame, apart: int, pairs: int) -> str:
    if not apart:
        return f"{len(rows)} sweeps, all of which measure the same thing."
    return f"{len(rows)} sweeps; {apart} of {pairs} pairs do not measure the same thing, and are not to be compared."
