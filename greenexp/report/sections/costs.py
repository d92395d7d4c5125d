"""What the sweep cost, on every axis, and what was not measured and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from greenexp.records.axes import AXES
from greenexp.records.origins import origin_name, recorded_origins
from greenexp.records.priced import PriceFact, recorded_price
from greenexp.records.sections import Accounting
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

NOT_YET = "nothing reported yet"


def section(tables: SweepTables) -> Section:
    """The ledger with limits, losses and reasons."""
    price = recorded_price(tables.history.sessions)
    rows = [_row(row, tables, price) for row in tables.ledger.to_dict("records")]
    columns = ["title", "used_text", "limit_text", "lost_text", "price_text", "reason", "about"]
    frame = tables.ledger.assign(**{name: [row[name] for row in rows] for name in columns if name != "reason"})
    shown = (
        Column("title", "Axis", "name"),
        Column("used_text", "Used", "name"),
        *((Column("price_text", "Price before", "name"),) if price else ()),
        Column("limit_text", "Limit", "name"),
        Column("lost_text", "Lost", "name"),
        Column("reason", "Why not measured", "prose"),
        Column("about", "What it counts", "prose"),
    )
    return Section(
        name="costs",
        title="Costs",
        headline=(*_used(rows, tables), *_priced(price, tables), *_sentences(rows, tables)),
        tables=(
            Table("costs", "Costs", frame, shown, "Lost: paid for work that no report covers, or that was done twice."),
        ),
        assumptions=_assumptions(tables),
    )


def _used(rows: list[dict[str, str]], tables: SweepTables) -> tuple[str, ...]:
    """What was measured, in one sentence; nothing before a report, or a failure, has told of costs."""
    known = [row for row in rows if row["used_text"] not in ("not measured", NOT_YET)]
    if not known or (tables.epochs.empty and not tables.history.complete):
        return ()
    parts = [f"{_inside(row['title'])} {row['used_text']}" for row in known]
    return (f"The sweep used: {'; '.join(parts)}.",)


def _inside(title: str) -> str:
    """A title as it stands inside a sentence: GPU and CO2 keep their letters."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _sentences(rows: list[dict[str, str]], tables: SweepTables) -> tuple[str, ...]:
    if tables.epochs.empty:
        return ("No trial has reported.",) if tables.history.complete else ("Nothing was reported yet.",)
    missing = [row for row in rows if row["used_text"] == "not measured"]
    sentences = [f"{row['title']} was not measured{': ' if row['reason'] else ''}{row['reason']}." for row in missing]
    partial = [row for row in rows if row["used_text"] != "not measured" and row["reason"]]
    sentences += [f"{row['title']} was measured in part: {row['reason']}." for row in partial]
    return tuple(sentences) or ("Every axis was measured.",)


def _priced(price: Mapping[str, PriceFact], tables: SweepTables) -> tuple[str, ...]:
    """On how many of the axes whose price was uncertain the sweep ended within it; nothing while it goes on."""
    used = tables.ledger.set_index("axis")["used"].dropna()
    judged = {axis: each for axis, each in price.items() if axis in used and each["low"] < each["high"]}
    if not judged or not tables.history.complete or tables.epochs.empty:
        return ()
    outside = [
        f"{AXES[axis].title} ({_way(float(used[axis]), each)})"
        for axis, each in judged.items()
        if not each["low"] <= used[axis] <= each["high"]
    ]
    text = f"On {len(judged) - len(outside)} of {len(judged)} axes the sweep ended within its price, an 80 % interval"
    return (f"{text}; outside: {', '.join(outside)}." if outside else f"{text}.",)


def _way(used: float, price: PriceFact) -> str:
    """How far from what was expected."""
    if not price["expected"]:
        return "expected nothing"
    return f"{used / price['expected']:.2f} of what was expected"


def _interval(price: PriceFact | None, unit: str) -> str:
    if price is None:
        return "not known"
    low, high = (format_quantity(price[end], unit) for end in ("low", "high"))
    return low if low == high else f"{low} to {high}"


def _evaluation(tables: SweepTables) -> str:
    """Evaluation on dev, which the axis of training FLOPs leaves out."""
    costs = tables.epochs["eval_flops"]
    if costs.empty or costs.isna().any():
        return ""
    return f" Evaluating on dev took a further {format_quantity(float(costs.sum()), 'FLOP')}, not on this axis."


def _before(tables: SweepTables) -> str:
    """Training of models of other sweeps, which the ledger leaves out."""
    told = [
        f"{origin_name(one)}: {'not on record' if flops is None else format_quantity(flops, 'FLOP')}"
        for one in recorded_origins(tables.history.sessions)
        for flops in (one["train_flops"],)
    ]
    return f" Models of other sweeps with which trials began were trained before: {'; '.join(told)}." if told else ""


def _row(row: dict[Any, Any], tables: SweepTables, price: Mapping[str, PriceFact]) -> dict[str, str]:
    axis = AXES[str(row["axis"])]
    currency = tables.spec.accounting.currency
    unit = str(currency or "money") if axis.unit == "money" else axis.unit
    is_waited_for = tables.epochs.empty and pd.isna(row["used"]) and not tables.history.complete
    return {
        "title": axis.title,
        "used_text": NOT_YET if is_waited_for else format_quantity(row["used"], unit),
        "limit_text": "none" if pd.isna(row["limit"]) else format_quantity(row["limit"], unit),
        "lost_text": "" if pd.isna(row["lost"]) else format_quantity(row["lost"], unit),
        "price_text": _interval(price.get(axis.name), unit),
        "reason": str(row["reason"] or ""),
        "about": axis.about,
    }


def _assumptions(tables: SweepTables) -> tuple[str, ...]:
    notes = [
        (
            "Costs cover all trials: finished, stopped and failed, all attempts. They do not cover the driver and "
            "idle workers, except for the wall clock, which is the sweep's elapsed time."
        ),
        (
            "Training FLOPs are analytic, from the padded shapes that were computed; 1 multiply-add = 2 FLOPs."
            f"{_evaluation(tables)}{_before(tables)}"
        ),
        "A total is given only if every report has the number; a partial sum would look like a total.",
    ]
    if recorded_price(tables.history.sessions):
        notes.append(
            "The price was worked out when the sweep began: time, energy and what follows from sweeps that ran on this "
            "type of machine or from a calibration, and early stopping as an expectation over random orders."
        )
    accounting = tables.spec.accounting
    if accounting.carbon_g_per_kwh is not None:
        notes.append(carbon_factors(accounting))
    return tuple(notes)


def carbon_factors(accounting: Accounting) -> str:
    """By what CO2e follows from energy, and where the grams per kWh are from; "" where they are not stated."""
    if accounting.carbon_g_per_kwh is None:
        return ""
    source = accounting.carbon_source
    origin = (
        "as stated in the sweep file"
        if source is None
        else f"the value of {source.year} for {source.row} in {source.package} {source.version}"
    )
    return f"CO2e = energy × PUE {accounting.pue} × {accounting.carbon_g_per_kwh} g/kWh, {origin}."
