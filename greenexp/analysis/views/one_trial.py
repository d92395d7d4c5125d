"""Everything on record of one trial: settings, curve, exits at its best epoch, costs, attempts, decisions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described, of_score
from greenexp.analysis.views.decisions import decision_table
from greenexp.analysis.views.learning_curves import learning_curves
from greenexp.analysis.views.named import trial_named
from greenexp.analysis.views.searched import field_values
from greenexp.analysis.views.timeline import stints_of
from greenexp.analysis.views.why import why
from greenexp.records.axes import AXES
from greenexp.records.tables import DEV, TEST, SweepTables

SECTIONS = ("task", "backbone", "exits", "method", "compression", "training", "metric")
SETTINGS = ("section", "path", "value", "searched")
CURVE = (
    "epoch", "score", "train_loss", "learning_rate", "scored_on", "best", "attempt", "dev_examples", "wall_s",
    "train_flops", "energy_j", "precision", "device", "remark",
)  # fmt: skip
COSTS = ("axis", "title", "unit", "amount", "lost", "reason")
ATTEMPTS = ("attempt", "reports", "repeated", "first_epoch", "last_epoch", "stays", "start_s", "end_s", "end")


def trial_view(tables: SweepTables, trial: str) -> Findings:
    """What is known of `trial`; its first sentence is that of `why`. InputError for a trial that there is not.

    Tables `trial` (its row), `settings` (SETTINGS, of the sections that make a trial), `curve` (CURVE, a row per report
    that counts), `exits` (exit, layer, score, inference_flops, then `dev_<metric>` and, where it was evaluated,
    `test_<metric>`), `costs` (COSTS; lost: of work that no report covers or that was done again,
    NaN where that is not on record), `attempts` (ATTEMPTS;
    stays: how often it got a worker; end_s: NaN while it lasts), `decisions` (as of `scheduler_decisions`)
    """
    row = trial_named(tables, trial)
    metric = metric_of(tables)
    curve = _curve(tables, trial, row)
    decisions = decision_table(tables)
    tables_ = {
        "trial": pd.DataFrame([row.to_dict()]),
        "settings": _settings(tables, str(row["configuration"])),
        "curve": curve,
        "exits": _exits(tables, trial, row),
        "costs": _costs(tables, row),
        "attempts": _attempts(tables, trial),
        "decisions": decisions[decisions["trial"] == trial].reset_index(drop=True),
        COLUMNS: described(
            of_score(metric, "value"), ViewColumn("exit_score", f"dev {metric.name} of the exit"),
            ViewColumn("trial", f"{trial} ({row['configuration']})"),
        ),
    }  # fmt: skip
    titles = {
        "trial": f"Trial {trial}", "settings": "Settings", "curve": "After each report",
        "exits": "Exits at the best epoch", "costs": "Costs of all attempts", "attempts": "Attempts",
        "decisions": "Decisions of the scheduler on it", COLUMNS: "Columns",
    }  # fmt: skip
    return Findings(
        verdict=(why(tables, trial),), tables=tables_, titles=titles, notes=_notes(tables, row, curve),
        warnings=tables.remarks.warnings,
    )  # fmt: skip


def _settings(tables: SweepTables, configuration: str) -> pd.DataFrame:
    """Dotted path -> value of the sections that make a trial, as the file has them, with what was searched."""
    written = tables.spec.model_dump(mode="json")
    flat = dict(_flat({section: written[section] for section in SECTIONS if section in written}))
    searched = field_values(tables)[configuration]
    for path, value in searched.items():
        for below in [known for known in flat if known.startswith(f"{path}.")]:
            del flat[below]
        flat[path] = value
    ordered = sorted(flat.items(), key=lambda pair: SECTIONS.index(pair[0].split(".")[0]) if _section(pair[0]) else 99)
    rows = [(path.split(".")[0], path, _text(value), path in searched) for path, value in ordered]
    return pd.DataFrame(rows, columns=list(SETTINGS))


def _section(path: str) -> bool:
    return path.split(".")[0] in SECTIONS


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _curve(tables: SweepTables, trial: str, row: pd.Series[Any]) -> pd.DataFrame:
    epochs = tables.epochs[(tables.epochs["trial"] == trial) & ~tables.epochs["repeated"]].sort_values("epoch")
    found = learning_curves(tables, trials=[trial])
    scored_on = [] if found.refusal else found["curves"]["scored_on"].tolist()
    best = epochs["epoch"] == row["best_epoch"] if not pd.isna(row["best_epoch"]) else False
    frame = epochs.assign(scored_on=scored_on, best=best, remark=epochs["score_remark"])
    return frame[list(CURVE)].reset_index(drop=True)


def _exits(tables: SweepTables, trial: str, row: pd.Series[Any]) -> pd.DataFrame:
    """Dev scores of every exit at the trial's best epoch, of the latest attempt, beside those of its last test."""
    dev = [column for column in tables.exits if str(column).startswith(DEV)]
    own = tables.exits[tables.exits["trial"] == trial]
    if pd.isna(row["best_epoch"]):
        own = own.head(0)
    else:
        own = own[own["epoch"] == row["best_epoch"]]
        own = own[own["attempt"] == own["attempt"].max()]
    name = DEV + metric_of(tables).name
    frame = own.assign(score=own.get(name, math.nan))[["exit", "layer", "score", "inference_flops", *dev]]
    test = tables.held_out[tables.held_out["trial"] == trial]
    if test.empty:
        return frame.reset_index(drop=True)
    last = test[test["evaluation"] == test["evaluation"].max()]
    columns = [column for column in last if str(column).startswith(TEST)]
    return frame.merge(last[["exit", *columns]], on="exit", how="left").reset_index(drop=True)


def _costs(tables: SweepTables, row: pd.Series[Any]) -> pd.DataFrame:
    reasons = dict(zip(tables.ledger["axis"], tables.ledger["reason"], strict=True))
    again = tables.epochs[(tables.epochs["trial"] == row["trial"]) & tables.epochs["repeated"]]
    rows = []
    for axis in AXES.values():
        if axis.name == "trials":
            continue
        amount = float(row[axis.name])
        lost = float(len(again)) / tables.spec.training.reports_per_epoch
        if axis.name != "epochs":
            lost = float(again[axis.name].sum(min_count=1)) if len(again) else 0.0
            lost += float(row["lost_wall_s"]) if axis.name == "wall_s" else 0.0
            unknown = axis.name != "wall_s" and row["lost_wall_s"] > 0  # only its seconds are on record
            lost = math.nan if unknown else lost
        why_not = str(reasons.get(axis.name, "")) if math.isnan(amount) else ""
        rows.append((axis.name, axis.title, axis.unit, amount, math.nan if math.isnan(amount) else lost, why_not))
    return pd.DataFrame(rows, columns=list(COSTS))


def _attempts(tables: SweepTables, trial: str) -> pd.DataFrame:
    """A row per attempt: its reports, and when it held workers."""
    stints = [stint for stint in stints_of(tables)[0] if stint.trial == trial]
    epochs = tables.epochs[tables.epochs["trial"] == trial]
    rows = []
    for attempt in sorted({stint.attempt for stint in stints}):
        own = [stint for stint in stints if stint.attempt == attempt]
        reports = epochs[epochs["attempt"] == attempt]
        first, last = (reports["epoch"].min(), reports["epoch"].max()) if len(reports) else (math.nan, math.nan)
        end = math.nan if own[-1].ended_s is None else own[-1].ended_s
        times = (own[0].began_s, end, own[-1].end)
        rows.append((attempt, len(reports), int(reports["repeated"].sum()), first, last, len(own), *times))
    return pd.DataFrame(rows, columns=list(ATTEMPTS))


def _notes(tables: SweepTables, row: pd.Series[Any], curve: pd.DataFrame) -> tuple[str, ...]:
    remarks = [f"Score: {text}." for text in dict.fromkeys(curve["remark"]) if text]
    weights = [f"Weights: {text}." for text in dict.fromkeys(
        tables.epochs.loc[tables.epochs["trial"] == row["trial"], "notes"]) if text]  # fmt: skip
    energy = [f"Energy: {row['energy_method']}."] if not pd.isna(row["energy_j"]) and row["energy_method"] else []
    return (*remarks, *weights, *energy)
