"""The trials of a sweep as the study of seeds takes them."""

from __future__ import annotations

from greenexp.analysis.search.draws import not_drawn
from greenexp.analysis.seeds.variance import seed_scores
from greenexp.analysis.sweeps.configurations import configuration_states
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.repetitions import SEEDS
from greenexp.records.scores import CONFIGURATION, SCORE, Scores, score_frame
from greenexp.records.tables import SweepTables


def sweep_seed_scores(tables: SweepTables) -> Scores:
    """The trials whose configuration has all its seeds finished, with notes on what was left out.

    All configurations of a sweep have the same seeds. With folds a row is a seed with the mean over its folds.
    """
    metric = metric_of(tables)
    trials = seed_scores(tables).dropna(subset=[SCORE]).reset_index(drop=True)
    columns = {name: trials[name].tolist() for name in (CONFIGURATION, SCORE, *SEEDS)}
    states = [state for state, _ in configuration_states(tables.trials).values()]
    used = trials[CONFIGURATION].nunique()
    notes = [f"{used} of {len(states)} configurations have all their seeds finished; numbers here are over those"]
    out = {state: states.count(state) for state in dict.fromkeys(states) if state != "complete"}
    if out:
        listed = ", ".join(f"{number} {state}" for state, number in out.items())
        selection = (
            "Those that remain were selected for being good: they are more alike than the search space, and the lead "
            "of the best is partly luck"
            if {"stopped", "stopped apart"} & out.keys()
            else "What remains is a selection"
        )
        notes.append(f"left out: {listed}. {selection}")
    if why := not_drawn(tables):
        notes.append(f"{why}: the variance between configurations is not that of the search space")
    return Scores(
        frame=score_frame(columns, len(trials)),
        score=metric.label,
        minimize=metric.minimize,
        seeds=SEEDS,
        shared_seeds=True,
        trials="trial",
        notes=tuple(notes),
    )
