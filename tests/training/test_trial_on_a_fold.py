"""A trial with a fold: what it trains on, what it is scored on, what it costs, and that it can be paused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from greenexp.errors import CheckpointError
from greenexp.plan.flops import epoch_flops, same_cost
from greenexp.records.epoch import EpochRecord
from greenexp.records.trial import Fold, TrialSeeds, TrialSpec, fingerprint
from greenexp.replay.logits import read_logits
from greenexp.tasks.folds import on_fold
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun

Make = Callable[..., TrialSpec]


def on(trial: TrialSpec, number: int, of: int = 3) -> TrialSpec:
    return dataclasses.replace(trial, fingerprint="", fold=Fold(number, of))


def test_it_is_scored_on_its_fold_and_costs_what_was_said(trial: Make, data: TokenisedTask, tmp_path: Path) -> None:
    spec = on(trial(epochs=2), 1)
    with TrialRun(spec, data, logits_folder=tmp_path) as run:
        records = list(run)
    assert [record.examples for record in records] == [64, 64]
    stored = read_logits(tmp_path, str(records[0].dev_logits))
    assert np.array_equal(stored.labels, on_fold(data, spec.fold).dev.labels)
    said = epoch_flops(spec, data)
    assert said.training == tuple(record.costs.train_flops for record in records)
    assert said.evaluation == tuple(record.costs.eval_flops for record in records)
    whole = epoch_flops(trial(epochs=2), data)
    assert said.training[0] < whole.training[0]


def test_it_trains_as_on_the_two_parts_as_tasks_of_their_own(
    trial: Make, data: TokenisedTask, numbers: Callable[[EpochRecord], dict[str, Any]]
) -> None:
    spec = on(trial(epochs=2), 0)
    with TrialRun(spec, data) as run:
        found = [numbers(record) for record in run]
    with TrialRun(trial(epochs=2), on_fold(data, spec.fold)) as run:
        assert [numbers(record) for record in run] == found
    with TrialRun(on(trial(epochs=2), 2), data) as run:
        assert [numbers(record) for record in run] != found


def test_it_goes_on_from_its_own_checkpoint_alone(
    trial: Make, data: TokenisedTask, numbers: Callable[[EpochRecord], dict[str, Any]], folder: Path
) -> None:
    spec = on(trial(epochs=2), 1)
    with TrialRun(spec, data) as run:
        whole = [numbers(record) for record in run]
    with TrialRun(spec, data) as run:
        next(run)
        run.save(folder)
    with TrialRun(spec, data) as run:
        run.load(folder)
        assert [numbers(record) for record in run] == whole[1:]
    with TrialRun(on(trial(epochs=2), 2), data) as run, pytest.raises(CheckpointError, match="another fingerprint"):
        run.load(folder)


def test_folds_tell_trials_apart_and_none_changes_nothing(trial: Make) -> None:
    plain = trial()
    folds = [on(plain, 0), on(plain, 1), on(plain, 0, of=4)]
    assert len({plain.fingerprint, *(fold.fingerprint for fold in folds)}) == 4
    assert len({same_cost(plain), *(same_cost(fold) for fold in folds)}) == 4
    assert plain.fingerprint == fingerprint(plain.settings, TrialSeeds(0, 0))
    assert "fold" not in plain.to_json(), "a journal line of a sweep without folds is what it always was"
    for spec in (plain, *folds):
        assert TrialSpec.from_json(spec.to_json()) == spec
