"""Tables, choices and curves of sweeps whose scheduler gave seeds up before they began."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from growing_sweeps import session

from greenexp.analysis.comparing.lead import LeadVerdict
from greenexp.analysis.comparing.lead_of_sweep import lead_over
from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.seeds.of_sweep import sweep_seed_scores
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.configurations import configuration_states, configuration_table
from greenexp.analysis.sweeps.savings import rung_table, savings
from greenexp.cli.sweeps.progress import describe
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables, tables_of
from greenexp.records.selection import SeedOutcome, chosen_configuration, configuration_means
from greenexp.records.tables import SweepTables
from greenexp.report.sections import early_stopping, headline

GROWING = "scheduler={name: sha, reduction_factor: 3, seeds: [1, 2, 3]}"
RACING = "scheduler={name: seed_racing, reduction_factor: 3}"
BOTH = ["growing", "racing"]


@pytest.fixture(scope="module", params=BOTH)
def state(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, SweepState, Path]:
    """9 configurations of 3 seeds, 9 epochs: 3 go on at the first rung, and if seeds grow, 1 at the second."""
    folder = tmp_path_factory.mktemp(request.param)
    scheduler = GROWING if request.param == "growing" else RACING
    fields = (scheduler, "search={name: random, samples: 9}", "seeds.initialisation=3")
    return request.param, session(folder, *fields), folder


def tables_and_name(state: tuple[str, SweepState, Path]) -> tuple[SweepTables, str]:
    return tables_of(state[1]), state[0]


def test_a_mean_is_over_the_seeds_that_began(state: tuple[str, SweepState, Path]) -> None:
    tables, name = tables_and_name(state)
    table = configuration_table(tables)
    assert table["seeds"].tolist() == ([3] + [2] * 2 + [1] * 6 if name == "growing" else [3] * 3 + [1] * 6)
    assert (table.groupby("seeds")["score_mean"].apply(lambda part: part.is_monotonic_decreasing)).all()
    trials = tables.trials[tables.trials["epochs"] > 0]
    for row in table.to_dict("records"):
        scores = trials.loc[trials["configuration"] == row["configuration"], "score"]
        assert (row["score_mean"], row["ended"]) == (pytest.approx(scores.mean()), len(scores))
    states = [found for found, _ in configuration_states(tables.trials).values()]
    assert (states.count("complete"), states.count("stopped")) == ((1, 8) if name == "growing" else (3, 6))
    reasons = [reason for found, reason in configuration_states(tables.trials).values() if found == "stopped"]
    assert all("were given up before they began" in reason for reason in reasons)
    best = table["configuration"].iloc[0]
    assert chosen_trials(tables).configuration == best
    assert {trial.spec.configuration for trial in state[1].chosen} == {best}
    assert len(state[1].chosen) == len(chosen_trials(tables).trials) == 3


def test_what_never_began_is_saved_and_counted_apart(state: tuple[str, SweepState, Path]) -> None:
    tables, name = tables_and_name(state)
    found = savings(tables)
    finished, stopped, given_up = (3, 6 + 2 * 2, 6 * 2 + 2) if name == "growing" else (3 * 3 + 6, 0, 6 * 2)
    assert (found.finished, found.stopped, found.given_up) == (finished, stopped, given_up)
    assert found.planned_epochs == found.run_epochs + found.saved_epochs
    assert found.run_epochs == (6 * 1 + 2 * 2 * 3 + 3 * 9 if name == "growing" else 15 * 9)
    text = " ".join(headline.section(tables).headline + early_stopping.section(tables).headline)
    assert f"{given_up} given up before they began" in text
    assert f"{given_up} of 27" in text


def test_the_table_of_rungs_has_seeds_and_their_noise(state: tuple[str, SweepState, Path]) -> None:
    tables, name = tables_and_name(state)
    rungs = rung_table(tables)
    columns = ["rung", "seeds", "trials", "configurations", "went_on", "stopped", "joined", "given_up"]
    assert rungs[columns].values.tolist() == (
        [[1, 1, 9, 9, 3, 6, 3, 12], [3, 2, 6, 3, 2, 4, 1, 2]] if name == "growing" else [[9, 1, 0, 9, 0, 0, 6, 12]]
    )
    assert rungs["noise"].isna().tolist() == ([True, False] if name == "growing" else [True])
    if name == "growing":  # three configurations with two seeds each: s^2 is the mean of their variances
        there = tables.epochs[(tables.epochs["epoch"] == 3)].groupby("configuration")["score"]
        variances = there.var()[there.size() == 2]
        assert len(variances) == 2, "the third trained a third seed"
        assert rungs["noise"].iloc[1] == pytest.approx(variances.iloc[0] ** 0.5), "seeds differ alike in all of them"
    figure = early_stopping.section(tables).plates[0].figure
    assert "later seeds given up" in figure.alt


def test_a_race_over_more_rungs_has_a_row_for_each(tmp_path: Path) -> None:
    fields = ("scheduler={name: seed_racing}", "search={name: random, samples: 8}", "seeds.initialisation=4")
    rungs = rung_table(tables_of(session(tmp_path, *fields)))
    assert rungs[["rung", "seeds", "joined", "given_up"]].values.tolist() == [[9, 1, 4, 12], [9, 2, 4, 4]]


def test_there_is_no_curve_over_means_of_different_numbers_of_seeds(state: tuple[str, SweepState, Path]) -> None:
    tables, _ = tables_and_name(state)
    assert "different numbers of seeds" in expected_best(tables).refusal
    whole = {name for name, (found, _) in configuration_states(tables.trials).items() if found == "complete"}
    assert set(sweep_seed_scores(tables).frame["configuration"]) == whole


def test_progress_says_what_was_compared(state: tuple[str, SweepState, Path]) -> None:
    lines = [describe(event, state[1]) or "" for event in read_events(state[2] / NAME) if event.kind == "decision"]
    given_up = [line for line in lines if "given up" in line]
    assert len(given_up) == savings(read_tables(state[2])).given_up
    assert all("1 seed," in line or "2 seeds," in line for line in given_up)


def test_few_good_seeds_are_not_chosen_over_many() -> None:
    def outcomes(configuration: str, *scores: float | None) -> list[SeedOutcome]:
        return [
            SeedOutcome(configuration, "stopped" if score is None else "finished", 0 if score is None else 9, score)
            for score in scores
        ]

    few, many, none = outcomes("few", 0.9, None), outcomes("many", 0.8, 0.7), outcomes("none", None, None)
    assert configuration_means([*few, *many, *none]) == {"few": 0.9, "many": 0.75}
    assert chosen_configuration([*few, *many, *none], "max") == "many"
    assert chosen_configuration([*few, *none], "max") == "few"
    assert chosen_configuration(none, "max") is None


def test_a_next_one_that_leads_on_the_seeds_that_both_have_is_not_beaten(state: tuple[str, SweepState, Path]) -> None:
    tables, _ = tables_and_name(state)
    table = configuration_table(tables)
    first, few = table["configuration"].iloc[0], table["configuration"].iloc[-1]
    trials = tables.trials.copy()
    trials.loc[trials["configuration"] == few, "score"] *= 2
    lead = lead_over(dataclasses.replace(tables, trials=trials), first, few)
    assert lead.verdict is LeadVerdict.UNKNOWN
    assert f"worse than the next, {few}, on the seeds that both have" in lead.sentence
