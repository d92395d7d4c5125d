"""The operating points of one trial, policy by policy, as a slider moves over their thresholds."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.views.columns import COLUMNS, LESS, MORE, ViewColumn, described, of_score
from greenexp.analysis.views.named import trial_named
from greenexp.analysis.views.wording import counted
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables

POINTS = (
    "trial", "policy", "bound", "number", "threshold", "score", "inference_flops", "mean_layers", "speed_up",
    "profiled",
)  # fmt: skip
USUAL = 2.0
"""The speed-up nearest to which a test score is told."""
PROFILES = ("trial", "policy", "number", "threshold", "speed_up", "exit", "layer", "share")
POLICIES = ("policy", "bound", "points", "low", "high", "best_score", "most_speed_up", "profiled")


def operating_point_table(tables: SweepTables, trial: str | None = None) -> Findings:
    """Tables `points` (POINTS), `profiles` (PROFILES) and `policies` (POLICIES) of one trial, at its best epoch.

    trial: by default the best seed of the chosen configuration that has operating points. InputError for an unknown one
    points: by policy, then by threshold; number: from 1 within the policy; bound: the policy needs the labels, so it
    cannot be used; profiled: the exit profile of this threshold is on record
    profiles: share of dev examples that leave at each exit, of the thresholds that have one, and of `static`
    """
    if trial is None:
        trial = chosen_trials(tables).best_of(tables.operating_points)
        if not trial:
            return Findings(refusal="no trial has operating points yet")
    trial_named(tables, trial)
    own = tables.operating_points[tables.operating_points["trial"] == trial]
    if own.empty:
        return Findings(refusal=f"trial {trial} has no operating points: it has not reported its exits")
    points = _points(own)
    profiles = _profiles(tables, points, trial)
    keys = set(zip(profiles["policy"], profiles["number"], strict=True))  # a bound's threshold is NaN
    points["profiled"] = [key in keys for key in zip(points["policy"], points["number"], strict=True)]
    policies = _policies(points, minimize=metric_of(tables).minimize)
    metric = metric_of(tables)
    return Findings(
        verdict=(
            f"{counted(len(points), 'operating point')} of {trial}, of {counted(len(policies), 'policy', 'policies')}.",
            (
                "Scores are those of one seed on the dev set on which a threshold is chosen, so they are too good on "
                f"average. {_on_test(tables, trial)}"
            ),
        ),
        tables={
            "points": points[list(POINTS)],
            "profiles": profiles,
            "policies": policies,
            COLUMNS: described(
                of_score(metric)._replace(title=f"dev {metric.name}"),
                ViewColumn("inference_flops", "Inference cost per example", "FLOP", LESS),
                ViewColumn("speed_up", "Speed-up (layers)", "", MORE),
                ViewColumn("share", "Share of dev examples"),
                ViewColumn("threshold", "Threshold"),
            ),
        },
        titles={
            "points": f"Operating points of {trial}", "profiles": f"Where dev examples leave in {trial}",
            "policies": "Policies", COLUMNS: "Columns",
        },
        notes=_notes(tables, trial, points),
        warnings=tables.remarks.warnings,
    )  # fmt: skip


def _on_test(tables: SweepTables, trial: str) -> str:
    """What thresholds that were chosen on dev came to on test."""
    tested = tables.thresholds_on_test
    tested = tested[(tested["trial"] == trial) & (tested["policy"] != STATIC)].dropna(subset=["test_score"])
    if tested.empty:
        return "Nothing of this trial was evaluated on test."
    row = min(tested.to_dict("records"), key=lambda each: abs(each["target"] - USUAL))
    return (
        f"For a speed-up of at least {row['target']:.3g}, {row['policy']} at {row['threshold']:.4g} went from "
        f"{row['dev_score']:.4f} at {row['dev_speed_up']:.2f}× on dev to {row['test_score']:.4f} at "
        f"{row['test_speed_up']:.2f}× on test."
    )


def _points(own: pd.DataFrame) -> pd.DataFrame:
    """In the order of the policies on record, then of their thresholds."""
    order = {policy: place for place, policy in enumerate(dict.fromkeys(own["policy"]))}
    points = own.assign(place=own["policy"].map(order), bound=is_bound(own["policy"]))
    points = points.sort_values(["place", "threshold"], kind="stable").reset_index(drop=True)
    return points.assign(number=points.groupby("policy", sort=False).cumcount() + 1)


def _profiles(tables: SweepTables, points: pd.DataFrame, trial: str) -> pd.DataFrame:
    """Recorded profiles, each with the number of its operating point; those of an exit used alone follow from it."""
    recorded = tables.exit_profiles[tables.exit_profiles["trial"] == trial]
    numbers = points[["policy", "threshold", "number"]].drop_duplicates(["policy", "threshold"])
    merged = recorded.merge(numbers, on=["policy", "threshold"], how="left")
    alone = points[points["policy"] == STATIC]
    static = pd.DataFrame(
        {
            "trial": trial, "policy": STATIC, "number": alone["number"], "threshold": alone["threshold"],
            "speed_up": alone["speed_up"], "exit": alone["threshold"].astype("int64"),
            "layer": alone["mean_layers"].astype("int64"), "share": 1.0,
        }
    )  # fmt: skip
    known = merged[merged["policy"] != STATIC]
    parts = [part[list(PROFILES)] for part in (static, known) if len(part)]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(PROFILES))
    return frame.astype({"number": "Int64"})


def _policies(points: pd.DataFrame, *, minimize: bool) -> pd.DataFrame:
    groups = points.groupby("policy", sort=False)
    frame = groups.agg(
        bound=("bound", "first"), points=("number", "size"), low=("threshold", "min"), high=("threshold", "max"),
        best_score=("score", "min" if minimize else "max"), most_speed_up=("speed_up", "max"),
        profiled=("profiled", "sum"),
    )  # fmt: skip
    return frame.reset_index()[list(POLICIES)]


def _notes(tables: SweepTables, trial: str, points: pd.DataFrame) -> tuple[str, ...]:
    notes = ["Scores and costs are on dev, at the trial's best epoch: a threshold chosen on them is optimistic there."]
    if set(points["policy"]) == {STATIC}:
        why = tables.remarks.operating_points
        notes.append(f"{trial} has static operating points alone{f': {why}' if why else ''}.")
    bounds = sorted(set(points.loc[points["bound"], "policy"]))
    if bounds:
        notes.append(f"{', '.join(bounds)}: a bound that needs the labels, so it cannot be used.")
    return tuple(notes)
