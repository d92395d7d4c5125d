"""Folds in a plan: how many trainings, what they are called, what they cost, and what stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.cli.sweeps.preview import preview_lines
from greenexp.errors import SweepFileError
from greenexp.plan import Plan, make_plan, price_plan
from greenexp.records.trial import Fold
from greenexp.spec import load_sweep

TEXT = """name: folds
task: {name: clauses, train: 90, dev: 24, test: 24}
backbone: {name: bert, layers: 2, hidden: 16, heads: 2, intermediate: 24, max_positions: 40}
training: {epochs: 4, batch_size: 8, max_length: 24}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}}
search: {name: random, samples: 3}
"""


def plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides))


def priced(*overrides: str) -> Plan:
    planned = plan(*overrides)
    return replace(planned, price=price_plan(planned))


def test_every_pair_of_seeds_is_trained_on_every_fold() -> None:
    trials = plan("seeds.initialisation=2", "seeds.folds=3").trials
    assert [trial.trial for trial in trials[:7]] == [
        "c000-i0-o0-f0", "c000-i0-o0-f1", "c000-i0-o0-f2", "c000-i1-o0-f0", "c000-i1-o0-f1", "c000-i1-o0-f2",
        "c001-i0-o0-f0",
    ]  # fmt: skip
    assert len(trials) == len({trial.fingerprint for trial in trials}) == 3 * 2 * 3
    assert [trial.fold for trial in trials[:3]] == [Fold(0, 3), Fold(1, 3), Fold(2, 3)]
    assert len({trial.seeds for trial in trials[:3]}) == 1


def test_in_rounds_all_configurations_come_before_the_next_fold() -> None:
    trials = plan("seeds.folds=2", "seeds.rounds=true").trials
    assert [trial.trial for trial in trials] == [f"c00{c}-i0-o0-f{f}" for f in range(2) for c in range(3)]


def test_without_folds_names_and_fingerprints_stay() -> None:
    off, null = plan("seeds.initialisation=2"), plan("seeds.initialisation=2", "seeds.folds=null")
    assert off.trials == null.trials
    assert off.trials[1].trial == "c000-i1-o0"
    assert all(trial.fold is None for trial in off.trials)


def test_folds_are_one_unit_for_a_scheduler() -> None:
    planned = plan("seeds.folds=3", "scheduler={name: sha, reduction_factor: 2}")
    assert planned.groups["c001"] == ("c001-i0-o0-f0", "c001-i0-o0-f1", "c001-i0-o0-f2")
    assert planned.new_scheduler().bracket_plan()[0].units == 3


def test_the_price_is_that_of_all_folds() -> None:
    folds, whole = price_plan(plan("seeds.folds=3")), price_plan(plan())
    assert folds.bounds["trials"].most == 9
    assert folds.bounds["epochs"].most == 36
    # Each training has two thirds of the examples, and every example is scored once over the folds, not 24 of dev.
    ratio = (folds.bounds["train_flops"].most or 0) / (whole.bounds["train_flops"].most or 1)
    assert ratio == pytest.approx(3 * 2 / 3, rel=0.05)
    ratio = (folds.eval_flops.most or 0) / (whole.eval_flops.most or 1)
    assert ratio == pytest.approx(90 / 24, rel=0.2), "but for padding"
    lines = preview_lines(priced("seeds.folds=3"))
    assert lines[0][1].startswith("9 trials")
    assert any(label == "note" and "3 times" in text for label, text in lines)


def test_patience_makes_every_price_an_upper_bound() -> None:
    patient, whole = price_plan(plan("training.patience=1")), price_plan(plan())
    assert patient.bounds == whole.bounds
    assert (patient.exact, patient.patience, whole.exact, whole.patience) == (False, True, True, False)
    lines = dict(preview_lines(priced("training.patience=1")))
    assert "all of this is at most" in lines["note"]


@pytest.mark.parametrize("folds", ["1", "0", "2.0"])
def test_one_fold_is_none(folds: str) -> None:
    with pytest.raises(SweepFileError, match=r"seeds\.folds"):
        plan(f"seeds.folds={folds}")


def test_folds_count_towards_the_most_trials() -> None:
    with pytest.raises(SweepFileError, match="makes 300,000 trials"):
        plan("seeds.folds=100000")
