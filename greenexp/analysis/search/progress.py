"""How far a search has come, configuration by configuration, and what more of it is expected to bring.

A configuration counts with the mean over its seeds once all of them have ended, in the order in which the search
proposed it. The best of those so far is what the search has in hand: the incumbent. What the next configurations are
expected to gain over it is estimated as `analysis.search.next_gain` says, by whether the search draws or learns.

A search that learns begins with draws. What a random search would have come to is estimated from them alone: with s
draws, of which E_s is the best, a random search of n configurations is expected to reach E_s + G(n - s). At equal cost,
n = (cost of all) / (mean cost of a draw). The start is shared by both, so nothing but the learning is compared.

Assumptions: those of `next_gain`; that later draws would cost what the first did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from greenexp.analysis.search.draws import drawn_configurations
from greenexp.analysis.search.next_gain import LEAST, NextGain, gain_of_draws, gain_of_search
from greenexp.analysis.sweeps.configurations import (
    configuration_states,
    configuration_table,
    is_given_up,
    stopped_without_score,
)
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.searches import is_independent, is_learning

COLUMNS = ("number", "configuration", "score", "best", "drawn", "bound")
AHEAD = (1, 10)
"""Numbers of further configurations that are asked about."""


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """What a random search is expected to have come to.

    score: expected best; at_best: what 95 % of such searches do not surpass
    configurations: how many it makes; draws: how many it is estimated from; axis: of equal cost, "" for equal numbers
    advantage: of the search that learns over it, in the metric's unit; above 0 where learning did better
    """

    score: float
    at_best: float
    configurations: int
    draws: int
    axis: str
    advantage: float


@dataclass(frozen=True)
class SearchProgress:
    """See the module.

    incumbent: a row per configuration with a value: number (its place among the proposals, from 1), configuration,
        score (mean over seeds), best so far, drawn (an independent draw), bound (some seed was stopped early)
    gains: what 1 and 10 more are expected to gain; costs: axis -> mean cost of a configuration, measured axes only
    refusal: why nothing is said of further configurations, or ""
    random: what a random search is expected to have come to; None unless the search learns and began with enough draws
    """

    incumbent: pd.DataFrame
    gains: tuple[NextGain, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)
    refusal: str = ""
    random: RandomSearch | None = None


def search_progress(tables: SweepTables) -> SearchProgress:
    """How far the search of a sweep has come. Of a running sweep too: what has ended counts."""
    minimize, name = metric_of(tables).minimize, tables.spec.search.name
    incumbent = _incumbent(tables)
    values = incumbent["score"].to_numpy(dtype=np.float64)
    costs = _mean_costs(tables, incumbent["configuration"].tolist())
    why = _unknown(tables, len(incumbent))
    if why:
        return SearchProgress(incumbent, costs=costs, refusal=why)
    gain = gain_of_draws if is_independent(name) else gain_of_search
    gains = tuple(gain(values, more, minimize=minimize) for more in AHEAD)
    return SearchProgress(incumbent, gains, costs, random=_random(tables, incumbent, minimize))


def _unknown(tables: SweepTables, known: int) -> str:
    """Why nothing can be said of further configurations, or ""."""
    search = tables.spec.search
    if not (is_independent(search.name) or is_learning(search.name)):
        return f"what a '{search.name}' search would propose next is not drawn from what it has proposed"
    if search.per is not None:
        return f"each value of {search.per} has a search of its own"
    if len(tables.spec.objectives) > 1:
        return "the search has several objectives, and a gain is one of the score alone"
    if (tables.trials["status"] == "paused").any():
        return "some configurations wait at a rung, and those that have ended are a selection"
    if is_given_up(tables.trials).any():
        return "seeds were given up, so means over different numbers of seeds would be compared"
    if any(state == "stopped apart" for state, _ in configuration_states(tables.trials).values()):
        return "seeds of some configurations were stopped after different numbers of epochs, so these have no mean"
    if stopped_without_score(tables.trials):
        return "some configurations were stopped before a report on all of dev, and the others are a selection"
    if known < LEAST:
        ended = {0: "no configuration has", 1: "only one configuration has"}.get(
            known, f"only {known} configurations have"
        )
        return f"{ended} ended with a score, and {LEAST} are needed"
    return ""


def _incumbent(tables: SweepTables) -> pd.DataFrame:
    configurations = configuration_table(tables).set_index("configuration")
    order = list(dict.fromkeys(tables.trials.sort_values("index", kind="stable")["configuration"]))
    configurations = configurations.reindex(order)
    numbers = np.arange(1, len(order) + 1)
    known = configurations["score_mean"].notna().to_numpy()
    scores = configurations["score_mean"].to_numpy(dtype=np.float64)[known]
    frame = {
        "number": numbers[known],
        "configuration": [name for name, there in zip(order, known, strict=True) if there],
        "score": scores,
        "best": (np.minimum if metric_of(tables).minimize else np.maximum).accumulate(scores),
        "drawn": np.array(list(drawn_configurations(tables).values()), dtype=bool)[known],
        "bound": (configurations["state"] == "stopped").to_numpy()[known],
    }
    return pd.DataFrame(frame, columns=list(COLUMNS))


def _mean_costs(tables: SweepTables, configurations: list[str]) -> dict[str, float]:
    """Axis -> mean cost of one of the configurations, of the axes that every one of them has a measurement of."""
    table = configuration_table(tables).set_index("configuration").reindex(configurations)
    columns = [axis for axis in AXES if axis in table and len(table) and table[axis].notna().all()]
    return {axis: float(table[axis].mean()) for axis in columns}


def _random(tables: SweepTables, incumbent: pd.DataFrame, minimize: bool) -> RandomSearch | None:
    """At equal training FLOPs, where measured; else at equal numbers of configurations."""
    start = incumbent[incumbent["drawn"]]
    if not is_learning(tables.spec.search.name) or len(start) < LEAST or len(start) == len(incumbent):
        return None
    cost = configuration_table(tables).set_index("configuration")["train_flops"]
    each, every = (cost.reindex(rows["configuration"]) for rows in (start, incumbent))
    axis = "train_flops" if every.notna().all() and each.mean() > 0 else ""
    size = int(every.sum() / each.mean()) if axis else len(incumbent)
    more = size - len(start)
    if more < 1:
        return None
    gain = gain_of_draws(start["score"].to_numpy(), more, minimize=minimize)
    sign = -1.0 if minimize else 1.0
    reached = float(start["best"].iloc[-1]) + sign * gain.mean
    at_best = float(start["best"].iloc[-1]) + sign * (gain.at_most or 0.0)
    advantage = sign * (float(incumbent["best"].iloc[-1]) - reached)
    return RandomSearch(reached, at_best, size, len(start), axis, advantage)
