"""What every exit policy reaches at which price, on dev, and what its thresholds are worth on test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.exits.dev_to_test import dev_to_test
from greenexp.analysis.exits.leaving import ranked_policies
from greenexp.analysis.exits.policies import is_bound, leaves_early
from greenexp.analysis.exits.policy_curves import coinciding, policy_curves, static_points
from greenexp.analysis.numbers.rounding import COST_ROUNDING, raised
from greenexp.analysis.sweeps.chosen import ChosenTrials, chosen_trials
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import policy_curves_figure
from greenexp.figures.policy_curves import MOST_POLICIES
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables
from greenexp.replay.chosen import TARGETS
from greenexp.report.section import Plate, Section
from greenexp.report.sections.replayed import nothing_replayed, whose
from greenexp.report.sections.settings import settings
from greenexp.report.sections.wording import counted, listed, mean_and_std
from greenexp.report.table import Column, Table

TITLE = "Exit policies"
SPEED = (
    "Speed-up here is layers / mean layers used, and FLOPs are analytic; wall clock was not measured for this report, "
    "and may gain less."
)
PRICES = {"speed_up": ("Speed-up (layers), at least", "factor", ""),
          "inference_flops": ("FLOPs per example, at most", "quantity", "FLOP")}  # fmt: skip


def section(tables: SweepTables) -> Section:
    """Curves over speed-up and over FLOPs, and a table at a few speed-ups with dev and test side by side."""
    metric, chosen = metric_of(tables), chosen_trials(tables)
    points = chosen.rows(tables.operating_points)
    early = points[leaves_early(points["policy"])].dropna(subset=["score"])
    if early.empty:
        return Section("policies", TITLE, (_no_score(tables, chosen, points, metric),))
    if early["speed_up"].max() <= points["speed_up"].min():
        return Section("policies", TITLE, (_nobody_leaves(points, early),))
    reached, ranked = ranked_policies(points, minimize=metric.minimize)
    order = _ordered(points, list(ranked["policy"]))
    curves = {price: policy_curves(order, price, minimize=metric.minimize) for price in PRICES}
    alone = static_points(points)
    transfer = dev_to_test(chosen.rows(tables.thresholds_on_test))
    return Section(
        name="policies",
        title=TITLE,
        headline=(
            _at(reached, ranked, alone, tables, metric),
            *_to_test(transfer, str(ranked["policy"].iloc[0]), reached, tables, metric),
            SPEED,
        ),
        paragraphs=(_what_is_drawn(chosen, points), *_remarks(curves["speed_up"])),
        plates=tuple(_plate(curves[price], alone, price, metric) for price in PRICES),
        tables=(_dev_and_test(transfer) if len(transfer) else _dev_only(points, metric),),
        assumptions=_assumptions(tables, metric, len(transfer) > 0),
    )


def _no_score(tables: SweepTables, chosen: ChosenTrials, points: pd.DataFrame, metric: SweepMetric) -> str:
    replayed = points[leaves_early(points["policy"])]
    if replayed.empty:
        return nothing_replayed(tables, chosen, "curves of exit policies")
    points_of_all = counted(len(replayed), "operating point")
    return f"No curves of exit policies: {metric.name} is defined at none of their {points_of_all}."


def _nobody_leaves(points: pd.DataFrame, early: pd.DataFrame) -> str:
    if len(set(points.loc[points["policy"] == STATIC, "threshold"])) < 2:
        return "Only one exit was trained, so no example can leave early and there is no curve."
    names = listed([str(name) for name in early["policy"].unique()])
    return f"No curve: with none of the policies replayed ({names}) does an example leave early, at any threshold."


def _ordered(points: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """The same rows, the policies in `first` before the others."""
    names = [*first, *(name for name in points["policy"].unique() if name not in first)]
    place = {name: number for number, name in enumerate(names)}
    return points.sort_values("policy", key=lambda column: column.map(place), kind="stable")


def _what_is_drawn(chosen: ChosenTrials, points: pd.DataFrame) -> str:
    several = len(set(points["trial"])) > 1
    mean = ", and the line is the mean of these scores" if several else ""
    return (
        f"Computed for {whose(chosen, points)}. For each limit on the axis, every seed takes the threshold with the "
        f"best dev score among those that meet the limit{mean}."
    )


def _at(reached: float, ranked: pd.DataFrame, alone: pd.DataFrame, tables: SweepTables, metric: SweepMetric) -> str:
    """The policies at one speed-up, best first, beside the exits used alone."""
    first = ranked.iloc[0]
    spread = mean_and_std(first["score_mean"], first["score_std"], int(first["trials"]), tables.spec.seeds)
    rows = zip(ranked["policy"].iloc[1:], ranked["score_mean"].iloc[1:], strict=True)
    others = [f"{policy} {mean:.4f}" for policy, mean in rows]
    rest = f"; {listed(others, MOST_POLICIES)}" if others else ""
    fast = alone[raised(alone["speed_up"].to_numpy(dtype=np.float64)) >= reached]
    last = alone.iloc[-1:].to_dict("records")
    scores = [f"the last exit {row['score_mean']:.4f} at {row['speed_up']:.2f}×" for row in last]
    if len(fast):
        best = fast.sort_values("score_mean", ascending=metric.minimize, kind="stable").iloc[0]
        scores.append(f"exit {int(best['exit'])} {best['score_mean']:.4f} at {best['speed_up']:.2f}×")
    used_alone = f" Used alone, {' and '.join(scores)}." if scores else ""
    return (
        f"At a speed-up of at least {reached:.2f} on dev, best first, dev {metric.name}: {first['policy']} "
        f"{spread}{rest}.{used_alone}"
    )


def _to_test(
    transfer: pd.DataFrame, best: str, reached: float, tables: SweepTables, metric: SweepMetric
) -> tuple[str, ...]:
    """The drop from dev to test of the policy that is best on dev, and over all rows; or that none is known."""
    if transfer.empty:
        tested = (
            "No test logits of these seeds are stored" if len(tables.held_out) else "The test set was not evaluated"
        )
        return (f"{tested}, so thresholds are reported on the dev set that chose them, which is optimistic.",)
    sign = -1 if metric.minimize else 1
    drop = sign * transfer["drop_mean"]
    own = transfer[(transfer["policy"] == best) & np.isclose(transfer["target"], reached, rtol=COST_ROUNDING, atol=0)]
    said = "Thresholds chosen on dev were applied to test as they are"
    if len(own):
        row = own.iloc[0]
        spread = mean_and_std(row["test_mean"], row["test_std"], int(row["trials"]), tables.spec.seeds)
        said += (
            f": {best} goes from {row['dev_mean']:.4f} on dev to {spread} on test, and from a speed-up of "
            f"{row['dev_speed_up']:.2f} to {row['test_speed_up']:.2f}{_alone(transfer, reached)}"
        )
    return (
        (
            f"{said}. Over the {counted(len(transfer), 'row')} of the table the score on test is on average "
            f"{abs(drop.mean()):.4f} {'worse' if drop.mean() >= 0 else 'better'} than on dev (from {-drop.max():+.4f} "
            f"to {-drop.min():+.4f}, positive is better)."
        ),
    )


def _alone(transfer: pd.DataFrame, reached: float) -> str:
    """How one exit for all, chosen in the same way, fares."""
    own = transfer[(transfer["policy"] == STATIC) & np.isclose(transfer["target"], reached, rtol=COST_ROUNDING, atol=0)]
    if own.empty:
        return ""
    row = own.iloc[0]
    return (
        f"; one exit for all, chosen in the same way, from {row['dev_mean']:.4f} to {row['test_mean']:.4f}, at a "
        f"speed-up of {row['test_speed_up']:.2f}"
    )


def _remarks(curves: pd.DataFrame) -> tuple[str, ...]:
    """Lines that coincide, and policies that are not drawn."""
    usable = curves[~is_bound(curves["policy"])]
    same = [f"The lines of {' and '.join(names)} coincide." for names in coinciding(usable)]
    names = list(dict.fromkeys(usable["policy"]))
    if len(names) > MOST_POLICIES:
        same.append(f"Drawn: {MOST_POLICIES} of {len(names)} policies; the CSV has all: {listed(names, 20)}.")
    return (" ".join(same),) if same else ()


def _plate(curves: pd.DataFrame, alone: pd.DataFrame, price: str, metric: SweepMetric) -> Plate:
    figure = policy_curves_figure(curves, alone, price, metric)
    title, kind, unit = PRICES[price]
    columns = (
        Column("policy", "Policy", "name"),
        Column("exit", "Exit used alone", "count"),
        Column(price, title, kind, unit),
        Column("score_mean", "Dev score, mean", "score"),
        Column("score_std", "Standard deviation", "score"),
        Column("trials", "Seeds", "count"),
    )
    return Plate(figure, Table(figure.name, figure.title, figure.table, columns))


def _dev_and_test(transfer: pd.DataFrame) -> Table:
    ordered = transfer.sort_values("target", kind="stable").reset_index(drop=True)
    frame = ordered.assign(setting=_settings(ordered))
    columns = (
        Column("policy", "Policy", "name"),
        Column("target", "Speed-up asked for on DEV", "factor"),
        Column("dev_mean", "DEV score, mean", "score"),
        Column("dev_std", "DEV, standard deviation", "score"),
        Column("test_mean", "TEST score, mean", "score"),
        Column("test_std", "TEST, standard deviation", "score"),
        Column("drop_mean", "DEV minus TEST, mean", "score"),
        Column("setting", "Setting chosen on DEV", "name"),
        Column("dev_speed_up", "DEV speed-up", "factor"),
        Column("test_speed_up", "TEST speed-up", "factor"),
        Column("test_inference_flops", "TEST FLOPs per example", "quantity", "FLOP", "not known"),
    )
    note = (
        "Every seed has its own setting, chosen on dev alone and applied to test unchanged, so the speed-up on test "
        "may miss what was asked for. Standard deviations (n - 1) are over seeds."
    )
    return Table("policies-dev-test", "Chosen on DEV, reported on TEST", frame, columns, note)


def _settings(rows: pd.DataFrame) -> list[str]:
    parts = zip(rows["policy"], rows["threshold_low"], rows["threshold_high"], strict=True)
    return [settings(str(policy), low, high) for policy, low, high in parts]


def _dev_only(points: pd.DataFrame, metric: SweepMetric) -> Table:
    usable = points[~is_bound(points["policy"])]
    frame = policy_curves(usable, "speed_up", np.array(TARGETS), minimize=metric.minimize)
    frame = frame.sort_values("price", kind="stable").rename(columns={"price": "speed_up"}).reset_index(drop=True)
    columns = (
        Column("speed_up", "Speed-up (layers), at least", "factor"),
        Column("policy", "Policy", "name"),
        Column("score_mean", "DEV score, mean", "score"),
        Column("score_std", "DEV, standard deviation", "score"),
        Column("trials", "Seeds", "count"),
    )
    note = "Settings were chosen on the dev set that scores them, and there is no test score beside it."
    return Table("policies-dev", "Chosen and reported on DEV", frame, columns, note)


def _assumptions(tables: SweepTables, metric: SweepMetric, has_test: bool) -> tuple[str, ...]:
    notes = [
        (
            "Epoch, configuration and threshold were chosen on dev, so dev scores are too good on average, the more so "
            "for a policy with many thresholds."
        ),
        "Policies are ranked by their means; the differences are not tested.",
        "Operating points are replayed from the stored dev logits, without temperatures, example by example.",
    ]
    if has_test:
        notes.append(
            "The change from dev to test has two causes, which are not separated: selection on dev (of threshold, "
            "epoch and configuration), and random differences between the two sets."
        )
        uses = found.uses if (found := held_out(tables)) is not None else 1
        if uses > 1:
            notes.append(f"The test set was used {uses} times, so test scores may be too good as well.")
    if is_bound(tables.operating_points["policy"]).any():
        notes.append(
            "The oracle lets each example leave at the first exit that is right, which needs the labels: a bound on "
            f"the {metric.name} of these exits, not a policy. It is never chosen and is on no front."
        )
    notes += [f"{remark}." for remark in tables.remarks.replay]
    return tuple(notes)
