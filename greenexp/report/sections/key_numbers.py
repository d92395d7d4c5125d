"""The four numbers that a report begins with: score on dev and test, cost, price of the score, speed-up."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.exits.equal_score import EqualScore, equal_score
from greenexp.analysis.search.last_gain import POINT
from greenexp.analysis.search.price_tag import amounts, price_tag
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.axes import AXES
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables
from greenexp.report.sections.price_tag import amount
from greenexp.report.sections.wording import counted, over_seeds
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

NAME = "key-numbers"
UNKNOWN = "not known"
_COSTS = {"gpu_s": "s", "core_s": "s", "train_flops": "FLOP", "energy_j": "J", "carbon_g": "g", "money": "money"}
_OF = {
    "gpu_s": "on GPUs", "core_s": "on CPU cores", "train_flops": "of training", "energy_j": "", "carbon_g": "CO2e",
    "money": "",
}  # fmt: skip
_FIRST = ("money", "energy_j", "gpu_s", "core_s", "train_flops")
"""Which cost stands for all: the first of these that was measured and is above 0."""


_PAID_IN = ("money", "energy_j", "train_flops", "wall_s")
"""In what the price of a point is given: the first of these that is known."""


def key_numbers(tables: SweepTables) -> Table:
    """A row per number: what it is, its value, and what must be known of it."""
    rows = [_score(tables), _cost(tables), _price(tables), _speed_up(tables)]
    frame = pd.DataFrame(rows, columns=["what", "value", "about"])
    columns = (Column("what", "What", "name"), Column("value", "Value", "name"), Column("about", "About", "prose"))
    return Table(NAME, "The result in four numbers", frame, columns)


def _score(tables: SweepTables) -> tuple[str, str, str]:
    metric, ranked = metric_of(tables), configuration_table(tables).dropna(subset=["score_mean"])
    what = "Score, dev → test"
    if ranked.empty:
        return what, UNKNOWN, "no configuration has ended with a score from all its seeds"
    first = ranked.iloc[0]
    seeds = over_seeds(int(first["seeds"]), tables.spec.seeds)
    begin = f"{metric.label.removeprefix('dev ')} of {first['configuration']}"
    dev, tested = f"{first['score_mean']:.4f}", held_out(tables)
    if tested is None or tested.configuration != first["configuration"]:
        about = f"{begin}, {_spread(first['score_std'])}{seeds}; not evaluated on test"
        return what, f"{dev} → –", about
    scores = tested.latest["test_score"]
    about = f"{begin}; on test {_spread(float(scores.std()))}{seeds}"
    return what, f"{dev} → {scores.mean():.4f}", about


def _spread(deviation: float) -> str:
    return "" if math.isnan(deviation) else f"standard deviation {deviation:.4f} over "


def _cost(tables: SweepTables) -> tuple[str, str, str]:
    found = price_tag(tables)
    if found.refusal:
        return "Cost of the search", UNKNOWN, "nothing was reported yet"
    search, currency = amounts(found, "search"), tables.spec.accounting.currency
    known = {name: _paid(name, search[name], str(currency or "money")) for name in _COSTS if search[name] > 0}
    first = next((name for name in _FIRST if name in known), "")
    rest = [text for name, text in known.items() if name != first]
    missing = [name for name in ("energy_j",) if math.isnan(search[name])]
    rest += ["energy not measured"] if missing else []
    trials = counted(search["experiments"], "trial")
    return "Cost of the search", known.get(first, "not measured"), "; ".join([trials, *rest])


def _paid(name: str, value: float, currency: str) -> str:
    unit = currency if name == "money" else _COSTS[name]
    written = amount(name, unit, value, currency) if name == "energy_j" else format_quantity(value, unit)
    return f"{written} {_OF[name]}".strip()


def _price(tables: SweepTables) -> tuple[str, str, str]:
    """What the search cost in trainings of its best model, and what one more point costs."""
    what, found = "Price tag: search / best model alone", price_tag(tables)
    if found.refusal:
        return what, UNKNOWN, "nothing was reported yet"
    search, model = amounts(found, "search")["train_flops"], amounts(found, "model")["train_flops"]
    value = f"{search / model:.3g}×" if model > 0 and not math.isnan(search) else UNKNOWN
    return what, value, f"training FLOPs; {_point(found.tables.get('last_gain'), tables)}"


def _point(gain: pd.DataFrame | None, tables: SweepTables) -> str:
    """What one more point of the score costs, by the last gain."""
    if gain is None or gain.empty:
        return "what one more point costs is not known"
    prices = dict(zip(gain["axis"].tolist(), gain["per_point"].tolist(), strict=True))
    axis = next((name for name in _PAID_IN if name in prices), "")
    if not axis or math.isnan(prices[axis]):
        return "the tuning curve is flat at its end, so no price of one more point follows"
    unit = str(tables.spec.accounting.currency or "money") if axis == "money" else AXES[axis].unit
    return f"one more point ({POINT}) costs at least {format_quantity(float(prices[axis]), unit)}"


def _speed_up(tables: SweepTables) -> tuple[str, str, str]:
    what, found = "Speed-up at equal dev score", equal_score(tables)
    if found is None:
        return what, UNKNOWN, "no exit of the chosen configuration has a score"
    value = f"{found.speed_up:.2f}×"
    if found.speed_up <= 1:
        return what, value, f"nothing faster reaches the last exit's {found.last_exit:.4f} on dev"
    how = f"exit {found.exit} alone" if found.policy == STATIC else found.policy
    return what, value, f"{how} at the last exit's {found.last_exit:.4f}{_tested(found)}"


def _tested(found: EqualScore) -> str:
    if math.isnan(found.test) or math.isnan(found.test_last_exit):
        return "; not known on test"
    return f"; on test {found.test_speed_up:.2f}×: {found.test:.4f}, last exit {found.test_last_exit:.4f}"
