"""Score against inference FLOPs."""

from __future__ import annotations

from greenexp.analysis import metric_of, operating_front
from greenexp.figures import operating_points_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

COLUMNS = (
    Column("trial", "Trial", "name"),
    Column("policy", "Policy"),
    Column("threshold", "Exit", "number"),
    Column("score", "Score", "score"),
    Column("inference_flops", "FLOPs per example", "quantity", "FLOP", "not measured"),
    Column("speed_up", "Speed-up (layers)", "factor"),
)


def section(tables: SweepTables) -> Section:
    """All operating points, the front among them, and the front as a table."""
    metric = metric_of(tables)
    points = operating_front(tables)
    known = points.dropna(subset=["score", "inference_flops"])
    title = "Score against inference FLOPs"
    if known.empty:
        return Section("front", title, ("No trial has an operating point with a score and FLOPs yet.",))
    front = known[known["on_front"]]
    low, high = front.iloc[0], front.iloc[-1]
    figure = operating_points_figure(points, metric)
    drawn = Table(
        "operating-points", "Operating points drawn", figure.table, (*COLUMNS, Column("on_front", "On the front"))
    )
    sentence = (
        f"{counted(len(front), 'operating point')} of {len(known)} {'is' if len(front) == 1 else 'are'} on the "
        f"Pareto front: from dev {metric.name} {low['score']:.4f} at "
        f"{format_quantity(float(low['inference_flops']), 'FLOP')} to {high['score']:.4f} at "
        f"{format_quantity(float(high['inference_flops']), 'FLOP')} per example."
    )
    left_out = len(known) - len(figure.table)
    return Section(
        name="front",
        title=title,
        headline=(sentence,),
        paragraphs=(f"{left_out} dominated points are not drawn.",) if left_out else (),
        plates=(Plate(figure, drawn),),
        tables=(Table("front", "Points on the front", front.drop(columns="on_front"), COLUMNS),),
        assumptions=_assumptions(tables),
    )


def _assumptions(tables: SweepTables) -> tuple[str, ...]:
    policies = ", ".join(dict.fromkeys(tables.operating_points["policy"]))
    notes = [
        (
            f"Policies: {policies}. Static means that every example leaves at the one exit, and no other exit is "
            "evaluated."
        ),
        "Each trial is taken at its best epoch by the sweep's metric; trials that failed are left out.",
        (
            "The front picks the best of many points on the dev set that also chose them, single seeds included: it "
            "is optimistic."
        ),
        (
            "FLOPs are analytic, per dev example at its real length; 1 multiply-add = 2 FLOPs. Speed-up = layers / "
            "layers used."
        ),
    ]
    stopped = int((tables.trials["status"] == "stopped").sum())
    if stopped:
        notes.append(f"{counted(stopped, 'trial')} stopped early take part with the best epoch so far.")
    return tuple(notes)
