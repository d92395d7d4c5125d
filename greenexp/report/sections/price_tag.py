"""The price tag: what the search and the chosen model cost, and what one more point costs."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.search.price_tag import REPEATED, SCOPES, amounts, price_tag
from greenexp.records.origins import OriginFact, origin_name, recorded_origins
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.costs import NOT_YET
from greenexp.report.sections.wording import counted
from greenexp.report.table import NONE, Column, Table, cost_column
from greenexp.units import JOULES, SECONDS, format_quantity

TITLES = {
    "parameters": "Parameters of the model",
    "experiments": "H: experiments (trials)",
    "training_set": "D: training set (examples)",
    "examples_seen": "Training examples seen, all epochs",
    "example_flops": "E: training FLOPs of an example",
    "example_j": "E: energy of a training example",
    "product_flops": "E·D·H in FLOPs",
    "product_j": "E·D·H in joules",
    "worker_s": "Worker hours",
    "gpu_s": "GPU hours",
    "core_s": "CPU core hours",
    "train_flops": "Training FLOPs",
    "origin_flops": "Training FLOPs of models of other sweeps that trials began with",
    "eval_flops": "FLOPs of evaluating on dev",
    "energy_j": "Energy",
    "overhead_j": "Energy of no trial",
    "carbon_g": "CO2e of the energy used",
    "embodied_g": "CO2e of making the machines (embodied)",
    "money": "Money",
}
_IN_KWH = ("energy_j", "overhead_j")


def section(tables: SweepTables) -> Section:
    """Price, parts, and the price of a further point, as `analysis.search.price_tag` has them."""
    found = price_tag(tables)
    title = "Price tag"
    if found.refusal:
        return Section("price-tag", title, (f"{NOT_YET[0].upper()}{NOT_YET[1:]}.",))
    return Section(
        name="price-tag",
        title=title,
        headline=(*totals(found, tables), *found.verdict),
        tables=(price_table(found, tables), _parts(found, tables)),
        assumptions=found.notes,
    )


def amount(quantity: str, unit: str, value: float, currency: str | None) -> str:
    """A quantity of the price tag for people: hours, kWh, FLOPs, grams, money, or `not measured`."""
    if math.isnan(value):
        return "not measured"
    if unit == "s":
        return f"{_digits(value / SECONDS['h'])} h"
    if quantity in _IN_KWH:
        return f"{_digits(value / JOULES['kwh'])} kWh"
    return format_quantity(value, str(currency or "money") if unit == "money" else unit)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def totals(found: Findings, tables: SweepTables) -> tuple[str, ...]:
    """The whole search, and how it compares with one training of the model, as far as it was measured."""
    search, model = amounts(found, "search"), amounts(found, "model")
    named = {"gpu_s": "s", "core_s": "s", "train_flops": "FLOP", "energy_j": "J", "carbon_g": "g", "money": "money"}
    currency = tables.spec.accounting.currency
    texts = [f"{amount(n, unit, search[n], currency)} {_noun(n)}" for n, unit in named.items() if search[n] > 0]
    if not texts:
        return ()
    trials = counted(search["experiments"], "trial")
    sentence = f"The whole search of {trials} cost {', '.join(text.strip() for text in texts)}"
    before = tuple(_before(one, search["train_flops"]) for one in recorded_origins(tables.history.sessions))
    if not model["train_flops"] > 0 or math.isnan(search["train_flops"]):
        return (f"{sentence}.", *before)
    factor = search["train_flops"] / model["train_flops"]
    return (f"{sentence}: {factor:.3g} times the training FLOPs of its best model alone.", *before)


def _before(origin: OriginFact, search_flops: float) -> str:
    """What training the models of another sweep cost that trials began with, and how that compares with the search."""
    flops = origin["train_flops"]
    if flops is None:
        return f"What the training of {origin_name(origin)} cost is not on record."
    share = "" if not search_flops > 0 else f", {flops / search_flops:.3g} times the training FLOPs of this search"
    return (
        f"{origin_name(origin)}, with which trials began, was trained with a further {format_quantity(flops, 'FLOP')}"
        f"{share}."
    )


def _noun(quantity: str) -> str:
    return {
        "gpu_s": "of GPU time", "core_s": "of CPU core time", "train_flops": "of training", "energy_j": "of energy",
        "carbon_g": "CO2e",
    }.get(quantity, "")  # fmt: skip


def price_table(found: Findings, tables: SweepTables, model: str = "Its best model on dev") -> Table:
    """The table `price`; model: what its last scope is called."""
    frame = found["price"]
    currency = tables.spec.accounting.currency
    texts = {
        f"{scope}_text": [
            _cell(quantity, unit, value, currency, scope)
            for quantity, unit, value in zip(frame["quantity"], frame["unit"], frame[scope], strict=True)
        ]
        for scope in SCOPES
    }
    missing = frame["search"].isna()
    shown = frame.assign(title=[TITLES[name] for name in frame["quantity"]], **texts)
    shown["why"] = frame["reason"].where(missing, "")
    columns = (
        Column("title", "Quantity"),
        Column("search_text", "Whole search", "name"),
        Column("configuration_text", "Chosen configuration, all seeds", "name"),
        Column("model_text", model, "name"),
        Column("why", "Why not measured", "prose"),
    )
    return Table("price-tag", found.titles["price"], shown, columns)


def _cell(quantity: str, unit: str, value: float, currency: str | None, scope: str) -> str:
    of_search_alone = quantity in ("overhead_j", "origin_flops")
    if (of_search_alone and scope != "search") or (quantity == "parameters" and math.isnan(value)):
        return NONE
    return amount(quantity, unit, value, currency)


def _parts(found: Findings, tables: SweepTables) -> Table:
    frame: pd.DataFrame = found["parts"]
    percent = [NONE if math.isnan(share) else f"{100 * share:.0f} %" for share in frame["share"]]
    columns = [
        Column("part", "Spent on", "name"),
        Column("trials", "Trials", "count"),
        cost_column("worker_s", "Worker time", "s"),
        cost_column("train_flops", "Training FLOPs", "FLOP"),
        Column("percent", "Of training FLOPs", "name"),
    ]
    unit = str(tables.spec.accounting.currency or "money")
    for name, title, of in (("energy_j", "Energy", "J"), ("carbon_g", "CO2e", "g"), ("money", "Money", unit)):
        if frame[name].notna().any():
            columns.append(cost_column(name, title, of))
    note = "The last row is also in the rows above it." if (frame["part"] == REPEATED).any() else ""
    return Table("price-parts", found.titles["parts"], frame.assign(percent=percent), tuple(columns), note)
