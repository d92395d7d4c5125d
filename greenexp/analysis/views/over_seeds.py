"""Configurations with the scores of all their seeds: mean and standard deviation, and every single score beside them.

The order is that of `analysis.sweeps.configurations`: most seeds first, of these the best mean, without a mean last. A
mean is only there where the seeds trained for the same length; else the table says which seed was stopped where.
"""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.repetitions import has_folds
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described, of_score
from greenexp.analysis.views.searched import settings_texts
from greenexp.analysis.views.wording import counted, with_article
from greenexp.records.tables import SUMMED_COSTS, SweepTables

CONFIGURATIONS = (
    "place", "configuration", "settings", "state", "seeds", "ended", "failed", "score_mean", "score_std", "best_score",
    "lowest", "highest", "scores", "reason", "epochs", *SUMMED_COSTS,
)  # fmt: skip
SEEDS = (
    "place", "configuration", "settings", "trial", "initialisation_seed", "order_seed", "fold", "score", "counts",
    "kind", "status", "epochs", "max_epochs", "best_epoch", "reason",
)  # fmt: skip
FULL, STOPPED, FAILED, SO_FAR = "finished", "stopped early", "failed", "not ended"


def configurations_over_seeds(tables: SweepTables) -> Findings:
    """Tables `configurations` (CONFIGURATIONS, a row each, and `params.<path>`) and `seeds` (SEEDS, a row per trial).

    place: from 1, in the order of the table; score_std: n - 1, NaN for one seed; lowest, highest: of the seeds' scores;
    scores: how many seeds have one; counts: whether the seed's score is part of the mean; kind: finished, stopped early
    (its score is a bound), failed (its score does not count) or not ended
    """
    ranked = configuration_table(tables)
    if ranked.empty:
        return Findings(refusal="no configuration is planned yet")
    metric, settings = metric_of(tables), settings_texts(tables)
    seeds = _seeds(tables, ranked, settings)
    scored = seeds[seeds["kind"] != FAILED].groupby("configuration")["score"]
    index = ranked["configuration"]
    ranked = ranked.assign(
        place=range(1, len(ranked) + 1),
        settings=index.map(settings),
        lowest=scored.min().reindex(index).to_numpy(),
        highest=scored.max().reindex(index).to_numpy(),
        scores=scored.count().reindex(index, fill_value=0).to_numpy(),
    )
    searched = [column for column in ranked if str(column).startswith("params.")]
    return Findings(
        verdict=_verdict(ranked, metric.label),
        tables={
            "configurations": ranked[[*CONFIGURATIONS[:3], *searched, *CONFIGURATIONS[3:]]],
            "seeds": seeds,
            COLUMNS: described(
                of_score(metric), of_score(metric, "score_mean"), ViewColumn("score_std", "Standard deviation")
            ),
        },
        titles={
            "configurations": f"{len(ranked)} configurations, {metric.label}: mean and standard deviation over seeds",
            "seeds": "The score of every seed",
            COLUMNS: "Columns",
        },
        notes=_notes(tables, ranked, metric.bound),
        warnings=tables.remarks.warnings,
    )


def _seeds(tables: SweepTables, ranked: pd.DataFrame, settings: dict[str, str]) -> pd.DataFrame:
    place = {str(name): number for number, name in enumerate(ranked["configuration"], start=1)}
    with_mean = set(ranked.loc[ranked["score_mean"].notna(), "configuration"])
    trials = tables.trials
    given_up = (trials["status"] == "stopped") & (trials["epochs"] == 0)
    trials = trials[~given_up]
    rows = trials.assign(
        place=trials["configuration"].map(place),
        settings=trials["configuration"].map(settings),
        counts=trials["configuration"].isin(with_mean) & trials["score"].notna(),
        kind=[_KINDS.get(status, SO_FAR) for status in trials["status"]],
    )
    return rows.sort_values(["place", "index"], kind="stable")[list(SEEDS)].reset_index(drop=True)


_KINDS = {"finished": FULL, "stopped": STOPPED, "failed": FAILED}


def _verdict(ranked: pd.DataFrame, label: str) -> tuple[str, ...]:
    first = ranked.iloc[0]
    if pd.isna(first["score_mean"]):
        return (f"No configuration has a mean {label} over its seeds yet.",)
    spread = "" if pd.isna(first["score_std"]) else f" ± {first['score_std']:.4f}"
    seeds = counted(first["seeds"], "seed")
    return (f"{first['configuration']} has the best mean {label}: {first['score_mean']:.4f}{spread} over {seeds}.",)


def _notes(tables: SweepTables, ranked: pd.DataFrame, bound: str) -> tuple[str, ...]:
    notes = []
    known = ranked[ranked["score_mean"].notna()]
    if len(known["seeds"].unique()) > 1:
        notes.append("Configurations with more seeds come first: a mean over fewer is more often good by luck.")
    if (known["state"] == "stopped").any():
        notes.append(
            f"The mean of a configuration that was stopped early is {with_article(bound)} of that after full training."
        )
    apart = ranked[ranked["score_mean"].isna() & ranked["scores"].gt(0)]
    if len(apart):
        notes.append(
            f"No mean, as seeds failed, have not ended, or trained for different lengths: "
            f"{counted(len(apart), 'configuration')} with scores; `reason` says which."
        )
    if has_folds(tables.trials):
        notes.append("The standard deviation is over seeds, of their means over folds; every point is one fold.")
    return tuple(notes)
