"""Which trial is the best: one rule for status, run, report and whoever loads a model; a failed trial is never it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import EPOCHS, Sweep, Workers

from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.cli.sweeps.lines import totals
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of
from greenexp.records.selection import SeedOutcome, best_first, best_trial, outcomes_of
from greenexp.sources.checkpoints import MANIFEST, MODELS, find_model
from greenexp.sources.status import sweep_status

STATUSES = ("planned", "running", "paused", "finished", "stopped", "failed", "interrupted")
OUTCOMES = st.builds(
    SeedOutcome, st.just("c000"), st.sampled_from(STATUSES), st.just(3), st.none() | st.sampled_from([-1.0, 0.0, 0.5])
)


@pytest.mark.parametrize("mode", ["max", "min"])
@given(outcomes=st.lists(OUTCOMES, max_size=8))
def test_the_best_has_a_score_did_not_fail_and_is_the_first_of_equals(mode: str, outcomes: list[SeedOutcome]) -> None:
    allowed = [o for o in outcomes if o.status != "failed" and o.score is not None]
    best = best_trial(outcomes, mode)
    assert (best is None) == (not allowed)
    if best is not None:
        scores = [o.score for o in allowed]
        assert best.score == (max if mode == "max" else min)(score for score in scores if score is not None)
        assert best is next(o for o in allowed if o.score == best.score)
    ranked = best_first(outcomes, mode)
    assert len(ranked) == len(allowed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial with the best score of all fails in its last epoch."""
    made = tmp_path_factory.mktemp("best")
    conductor = Sweep(made).open(configurations=3, scheduler={"name": "fifo"})
    Workers(conductor, fail={"c002-i1-o0": EPOCHS}, ends={"c002-i0-o0": 5}).play()
    conductor.close()
    conductor.journal.close()
    return made


def test_a_failed_trial_is_named_best_by_nobody(folder: Path) -> None:
    state = SweepState(read_events(folder / NAME))
    failed = state.trials["c002-i1-o0"]
    others = [trial for trial in state.trials.values() if trial is not failed]
    assert failed.status == "failed"
    best = state.best
    assert best is not None
    assert best.spec.trial == "c001-i1-o0"
    assert failed.score is not None
    assert best.score == max(trial.score for trial in others if trial.score is not None) < failed.score
    assert "(c001-i1-o0)" in totals(sweep_status(state, folder))
    tables = tables_of(state)
    assert chosen_trials(tables).trials == ("c001-i1-o0", "c001-i0-o0")
    assert [o.trial for o in best_first(outcomes_of(tables.trials), "max")][:2] == ["c001-i1-o0", "c001-i0-o0"]


def test_of_the_chosen_configuration_the_best_kept_model_is_taken(folder: Path) -> None:
    for trial in ("c001-i0-o0", "c002-i0-o0"):
        (folder / MODELS / trial).mkdir(parents=True)
        (folder / MODELS / trial / MANIFEST).touch()
    assert find_model(str(folder)).trial == "c001-i0-o0"
