"""Score against inference FLOPs: every operating point of every trial, and the front over all of them."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.policies import family_of, is_bound, needs_labels
from greenexp.analysis.fronts.operating_points import cheapest_reaching, evenly, operating_front
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import operating_points_figure
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.settings import rules, setting_of
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

MOST_SHOWN = 20
"""Rows of the front in the table for reading; the CSV has all."""
COLUMNS = (
    Column("trial", "Trial", "name"),
    Column("setting", "Leaves at", "name"),
    Column("score", "Dev score", "score"),
    Column("inference_flops", "FLOPs per example", "quantity", "FLOP", "not measured"),
    Column("mean_layers", "Mean layers", "number"),
    Column("speed_up", "Speed-up (layers)", "factor"),
)


def section(tables: SweepTables) -> Section:
    """All operating points, the front among them, and the front as a table."""
    metric = metric_of(tables)
    points = _once(operating_front(tables))
    known = points.dropna(subset=["score", "inference_flops"])
    title = "Score against inference FLOPs"
    if known.empty:
        return Section("front", title, ("No trial has an operating point with a score and FLOPs yet.",))
    front = _with_setting(known[known["on_front"]].drop(columns="on_front"))
    figure = operating_points_figure(points, metric)
    drawn = Table(
        "operating-points",
        "Operating points drawn",
        _with_setting(figure.table),
        (*COLUMNS, Column("on_front", "On the front")),
    )
    return Section(
        name="front",
        title=title,
        headline=(_range(front, len(known), metric), *_gain(known, metric)),
        paragraphs=_not_drawn(known, len(figure.table), len(front)),
        plates=(Plate(figure, drawn),),
        tables=(_front_table(front),),
        assumptions=_assumptions(tables),
    )


def _once(points: pd.DataFrame) -> pd.DataFrame:
    """Without what several policies do alike, as entropy and probability do with two classes: the first stays."""
    return points.drop_duplicates(["trial", "score", "inference_flops", "mean_layers"]).reset_index(drop=True)


def _with_setting(points: pd.DataFrame) -> pd.DataFrame:
    place = list(points.columns).index("policy")
    settings = [setting_of(row) for _, row in points.iterrows()]
    return pd.concat([points.iloc[:, :place], pd.Series(settings, points.index, "str", "setting"),
                      points.iloc[:, place:]], axis=1)  # fmt: skip


def _range(front: pd.DataFrame, known: int, metric: SweepMetric) -> str:
    low, high = front.iloc[0], front.iloc[-1]
    return (
        f"{counted(len(front), 'operating point')} of {known:,} {'is' if len(front) == 1 else 'are'} on the "
        f"Pareto front: from dev {metric.name} {low['score']:.4f} at "
        f"{format_quantity(float(low['inference_flops']), 'FLOP')} to {high['score']:.4f} at "
        f"{format_quantity(float(high['inference_flops']), 'FLOP')} per example."
    )


def _gain(known: pd.DataFrame, metric: SweepMetric) -> tuple[str, ...]:
    """What leaving early saves at the score of the best exit used alone."""
    alone = known[known["policy"] == STATIC]
    if alone.empty or len(alone) == len(known):
        return ()
    best = cheapest_reaching(alone, metric.best(alone["score"]), minimize=metric.minimize)
    early = known[known["policy"] != STATIC]
    cheap = None if best is None else cheapest_reaching(early, float(best["score"]), minimize=metric.minimize)
    if best is None:
        return ()
    given = (
        f"The best exit used alone, {setting_of(best)} of {best['trial']}, has {best['score']:.4f} at "
        f"{format_quantity(float(best['inference_flops']), 'FLOP')}"
    )
    if cheap is None or cheap["inference_flops"] >= best["inference_flops"]:
        return (f"{given}; no exit policy of any trial reaches that score for less.",)
    ratio = best["inference_flops"] / cheap["inference_flops"]
    return (
        (
            f"{given}; leaving early reaches that score at {format_quantity(float(cheap['inference_flops']), 'FLOP')} "
            f"({cheap['trial']}, {setting_of(cheap)}), {ratio:.2f} times cheaper, with the setting chosen on the "
            "same dev set."
        ),
    )


def _not_drawn(known: pd.DataFrame, drawn: int, front: int) -> tuple[str, ...]:
    if drawn == len(known):
        return ()
    return (
        (
            f"Drawn: all {front:,} points of the front, and of the {len(known) - front:,} others {drawn - front:,}, "
            "evenly spaced in order of cost (exits used alone and exit policies each for themselves)."
        ),
    )


def _front_table(front: pd.DataFrame) -> Table:
    shown = evenly(front, MOST_SHOWN)
    note = ""
    if len(shown) < len(front):
        note = f"{len(shown)} of {len(front):,} points, evenly spaced in order of cost, both ends included."
    return Table("front", "Points on the front", front, COLUMNS, note, shown if note else None)


def _assumptions(tables: SweepTables) -> tuple[str, ...]:
    policies = tables.operating_points["policy"]
    families = dict.fromkeys(family_of(str(policy)) for policy in policies.unique())
    notes = ["Exit N: every example leaves at that one exit, and no other exit is evaluated."]
    notes += rules(families)
    if set(families) - {STATIC}:
        notes.append(
            "Every setting that changes an answer is a point, if no remark says otherwise, replayed exactly from the "
            "dev logits; every exit evaluated on the way is paid for; nothing was timed."
        )
    if is_bound(policies).any():
        notes.append("The oracle needs the labels: a bound, no policy. It takes no part here.")
    if remark := tables.remarks.operating_points:
        notes.append(f"{str(remark)[:1].upper()}{str(remark)[1:]}.")
    notes += [f"Remark: {remark}." for remark in tables.remarks.replay]
    if sum(family != STATIC for family in families if not needs_labels(family)) > 1:
        notes.append("Points of several policies at the same cost and score are one point, of the first policy.")
    notes += [
        "Each trial is taken at its best epoch by the sweep's metric; trials that failed are left out.",
        (
            "The front consists of the best of many points, over thresholds and single seeds, on the dev set that "
            "chose them: it is optimistic. Scores on new data need a test set."
        ),
        (
            "FLOPs are analytic, per dev example at its real length; 1 multiply-add = 2 FLOPs. Speed-up = layers / "
            "mean layers used."
        ),
    ]
    stopped = int(((tables.trials["status"] == "stopped") & tables.trials["score"].notna()).sum())
    if stopped:
        notes.append(f"{counted(stopped, 'trial')} stopped early take part with the best epoch so far.")
    return tuple(notes)
