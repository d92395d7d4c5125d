"""Learning curves: the dev score or the training loss of every trial after each of its reports.

An epoch that a later attempt trained again stands once, with the report that counts. The position of a report on an
axis other than `epochs` is what the trial had spent until then, the work of that epoch counted once. Scores of another
kind than the trial's own (on a part of dev, or over other exits in an earlier stage of training) are on lines of their
own: they compare with each other alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from greenexp.analysis.curves.best_so_far import not_measured
from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.savings import rung_table
from greenexp.analysis.sweeps.scheduling import recorded_scheduler
from greenexp.analysis.sweeps.scored_exits import over_other_exits
from greenexp.analysis.views.columns import COLUMNS, LESS, ViewColumn, described, of_axis, of_score
from greenexp.analysis.views.named import check_one_of, trial_named
from greenexp.analysis.views.searched import field_axes, field_named, field_values, settings_texts, value_text
from greenexp.analysis.views.why import reasons_why
from greenexp.analysis.views.wording import counted
from greenexp.records.axes import AXES, EPOCHS, rung_name
from greenexp.records.tables import SweepTables

VALUES = ("score", "train_loss")
AXIS_NAMES = tuple(name for name, axis in AXES.items() if axis.per == "epoch")
CURVES = (
    "trial", "configuration", "settings", "group", "group_value", "status", "scored_on", "epoch", "position", "value",
    "attempt", "dev_examples", "train_loss", "learning_rate", "wall_s",
)  # fmt: skip
ENDS = (
    "trial", "configuration", "settings", "group", "group_value", "status", "end", "scored_on", "epoch",
    "position", "value", "why",
)  # fmt: skip
RUNGS = ("bracket", "rung", "position", "name", "trials", "stopped")
ALL_OF_DEV, PART_OF_DEV, OTHER_EXITS = "all of dev", "a part of dev", "other exits"
CHOSEN, OTHERS = "chosen configuration", "other configurations"
_ENDS = {"finished": "finished", "stopped": "stopped", "failed": "failed", "interrupted": "interrupted"}
NOT_ENDED = "not ended"


def learning_curves(
    tables: SweepTables,
    *,
    value: str = "score",
    axis: str = EPOCHS,
    by: str = "",
    trials: Sequence[str] | None = None,
) -> Findings:
    """A row per trial and report, in the order of the plan and of training; see the module.

    value: `score` or `train_loss`; axis: `epochs`, or a budget axis that is measured per report; by: what `group` is:
    "" (the chosen configuration, or not), `configuration`, `status`, or a searched field; trials: only these
    Tables `curves` (CURVES), `ends` (ENDS, where each trial ended and why), `rungs` (RUNGS, those on this axis).
    `group_value` is the number of a searched field, NaN for everything else. InputError for unknown names.
    """
    check_one_of("value", value, VALUES)
    check_one_of("axis", axis, AXIS_NAMES)
    for trial in trials or ():
        trial_named(tables, trial)
    kept = _kept(tables, trials, value)
    if kept.empty:
        return Findings(refusal="no trial has reported yet")
    measured, missing = _with_positions(kept, axis)
    if measured.empty:
        return Findings(refusal=not_measured(tables, axis))
    curves = _labelled(tables, measured.assign(value=measured[value]), by).dropna(subset=["value"])
    if curves.empty:
        return Findings(refusal=f"no report has a {value}")
    ends = _ends(tables, curves)
    rungs, rung_notes = _rungs(tables, axis)
    metric = metric_of(tables)
    drawn = of_score(metric, "value") if value == "score" else ViewColumn("value", "Training loss", "", LESS)
    notes = (*_notes(tables, kept, curves, value), *missing, *rung_notes, *_unreported(tables, trials))
    return Findings(
        verdict=(_sentence(ends),),
        tables={
            "curves": curves[list(CURVES)],
            "ends": ends,
            "rungs": rungs,
            COLUMNS: described(of_axis(axis, "position"), drawn, _group_column(tables, by)),
        },
        titles={
            "curves": f"{drawn.title} after each report",
            "ends": "Where each trial ended",
            "rungs": "Rungs of the scheduler on this axis",
            COLUMNS: "Columns",
        },
        notes=notes,
        warnings=tables.remarks.warnings,
    )


def _kept(tables: SweepTables, trials: Sequence[str] | None, value: str) -> pd.DataFrame:
    """The reports that count, in plan order, with what their scores are of."""
    epochs = tables.epochs[~tables.epochs["repeated"]]
    if trials is not None:
        epochs = epochs[epochs["trial"].isin(list(trials))]
    place = dict(zip(tables.trials["trial"], tables.trials["index"], strict=True))
    epochs = epochs.assign(place=epochs["trial"].map(place)).sort_values(["place", "epoch"], kind="stable")
    kinds = [
        (OTHER_EXITS if other else PART_OF_DEV if part else ALL_OF_DEV) if value == "score" else ""
        for other, part in zip(over_other_exits(tables, epochs), epochs["dev_examples"].notna(), strict=True)
    ]
    return epochs.assign(scored_on=kinds).reset_index(drop=True)


def _with_positions(kept: pd.DataFrame, axis: str) -> tuple[pd.DataFrame, list[str]]:
    """The reports with their place on the axis; trials of which a part was not measured are left out, which is said."""
    if axis == EPOCHS:
        return kept.assign(position=kept["epoch"].astype("float64")), []
    gaps = kept[axis].isna().groupby(kept["trial"]).any()
    known = kept[~kept["trial"].map(gaps)]
    position = known.groupby("trial", sort=False)[axis].cumsum()
    count = int(gaps.sum())
    note = f"{count} of {counted(len(gaps), 'trial')} left out: {axis} was not measured in all of its reports."
    return known.assign(position=position.astype("float64")), [note] if count else []


def _labelled(tables: SweepTables, curves: pd.DataFrame, by: str) -> pd.DataFrame:
    """With status, settings and group."""
    status = dict(zip(tables.trials["trial"], tables.trials["status"], strict=True))
    settings = settings_texts(tables)
    configurations = curves["configuration"]
    groups, numbers = _groups(tables, by)
    if by == "status":
        groups = dict.fromkeys(groups, "")
    labelled = curves.assign(
        status=curves["trial"].map(status),
        settings=configurations.map(settings),
        group=configurations.map(groups),
        group_value=configurations.map(numbers).astype("float64"),
    )
    return labelled.assign(group=labelled["status"]) if by == "status" else labelled


def _groups(tables: SweepTables, by: str) -> tuple[dict[str, str], dict[str, float]]:
    """Configuration -> its group in words, and as a number where it is one."""
    names = [str(name) for name in dict.fromkeys(tables.trials["configuration"])]
    if by in ("configuration", "status"):
        return {name: name for name in names}, {}
    if not by:
        chosen = chosen_trials(tables).configuration
        return {name: CHOSEN if name == chosen else OTHERS for name in names}, {}
    path = field_named(tables, by)
    values = {name: own.get(path) for name, own in field_values(tables).items() if path in own}
    numbers = {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {name: value_text(values[name]) if name in values else "not in it" for name in names}, numbers


def _group_column(tables: SweepTables, by: str) -> ViewColumn:
    known = {"": "", "configuration": "Configuration", "status": "Status"}
    if by in known:
        return ViewColumn("group", known[by])
    path = field_named(tables, by)
    axis = next(axis for axis in field_axes(tables, field_values(tables)) if axis.field == path)
    return ViewColumn("group", path, scale=axis.kind)


def _ends(tables: SweepTables, curves: pd.DataFrame) -> pd.DataFrame:
    """The last report of every trial, how the trial ended, and why."""
    last = curves.drop_duplicates("trial", keep="last").reset_index(drop=True)
    told = reasons_why(tables)
    ended = last.assign(end=[_ENDS.get(s, NOT_ENDED) for s in last["status"]], why=last["trial"].map(told))
    return ended[list(ENDS)]


def _rungs(tables: SweepTables, axis: str) -> tuple[pd.DataFrame, list[str]]:
    """The rungs that lie on the axis; that there are others, where they lie on another one."""
    table, resource = rung_table(tables), recorded_scheduler(tables).resource
    if table.empty or resource != axis:
        where = [f"The rungs of the scheduler lie on {resource}, so they are not on this axis."] if len(table) else []
        return pd.DataFrame(columns=list(RUNGS)), where
    position = table["rung"].astype("float64")
    names = [rung_name(resource, float(level)) for level in position]
    return table.assign(position=position, name=names)[list(RUNGS)], []


def _notes(tables: SweepTables, kept: pd.DataFrame, curves: pd.DataFrame, value: str) -> list[str]:
    again = int(tables.epochs.loc[tables.epochs["trial"].isin(set(kept["trial"])), "repeated"].sum())
    notes = [f"{counted(again, 'report')} of work that was done again later: left out."] if again else []
    if value != "score":
        return notes
    parts = curves[curves["scored_on"] == PART_OF_DEV]
    if len(parts):
        sizes = ", ".join(str(size) for size in sorted(set(parts["dev_examples"].dropna())))
        notes.append(
            f"{counted(len(parts), 'score')} on a part of dev ({sizes} examples), on lines of their own: they compare "
            "with each other alone."
        )
    others = int((curves["scored_on"] == OTHER_EXITS).sum())
    if others:
        notes.append(
            f"{counted(others, 'score')} over other exits than those of the trial's last report (an earlier stage of "
            "training), on lines of their own."
        )
    return notes


def _unreported(tables: SweepTables, trials: Sequence[str] | None) -> list[str]:
    """Trials that have begun and ended without a report."""
    rows = tables.trials if trials is None else tables.trials[tables.trials["trial"].isin(list(trials))]
    silent = rows[(rows["epochs"] == 0) & rows["status"].isin(["failed", "interrupted"])]
    names = ", ".join(silent["trial"].head(5)) + (", ..." if len(silent) > 5 else "")
    return [f"{counted(len(silent), 'trial')} without a report, so without a curve: {names}."] if len(silent) else []


def _sentence(ends: pd.DataFrame) -> str:
    counts = ends["end"].value_counts()
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{counted(len(ends), 'trial')} with reports: {parts}."
