"""Reports within an epoch on a part of dev: the part, its scores, and that nothing at whole epochs changes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import FieldError
from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import EpochRecord, best_epoch, trial_score
from greenexp.records.trial import TrialSpec
from greenexp.replay.logits import read_logits
from greenexp.tasks.dev_part import dev_part
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun
from greenexp.training.scoring import exit_metrics, selected_score

Make = Callable[..., TrialSpec]
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "learnt weights, two batches a step": {"method": {"name": "leebert"}},
    "two stages": {
        "method": {"name": "deebert"},
        "exits": {"head": {"name": "pooled"}},
        "backbone": {"pooling": "pooler"},
    },
}
each_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


@given(st.integers(1, 300), st.integers(1, 4), st.integers(0, 99), st.data())
def test_classes_have_their_shares(whole: int, classes: int, seed: int, data: st.DataObject) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, whole)
    size = data.draw(st.integers(1, whole))
    chosen = dev_part(labels, size)
    assert len(chosen) == size
    assert sorted(set(chosen.tolist())) == chosen.tolist()
    shares = Counter(labels[chosen].tolist())
    for label, count in Counter(labels.tolist()).items():
        assert abs(shares[label] - count * size / whole) <= 1
    assert dev_part(labels, size).tolist() == chosen.tolist()


def test_a_share_is_rounded_and_more_than_dev_is_refused() -> None:
    labels = np.array([0.1, 5.0, 2.5, 3.5, 1.0], dtype=np.float32)
    assert len(dev_part(labels, 0.5)) == 2
    assert len(dev_part(labels, 0.01)) == 1
    low, high = sorted(labels[dev_part(labels, 2)])
    assert low <= 1.0
    assert high >= 3.5
    with pytest.raises(FieldError) as caught:
        dev_part(labels, 6)
    assert caught.value.path == "training.report_dev"


def records_of(trial: TrialSpec, data: TokenisedTask, folder: Path | None = None) -> list[EpochRecord]:
    with TrialRun(trial, data, threads=1, logits_folder=folder) as run:
        return list(run)


def plain(record: EpochRecord) -> dict[str, Any]:
    costs = {"train_flops": record.costs.train_flops, "eval_flops": record.costs.eval_flops}
    return {**dataclasses.asdict(record), "costs": costs, "not_measured": {}}


@each_setting
def test_whole_epochs_are_what_they_are_without_it(
    trial: Make, data: TokenisedTask, settings: dict[str, Any], tmp_path: Path
) -> None:
    often = {**settings, "epochs": 4, "reports_per_epoch": 3}
    folders = [tmp_path / "all", tmp_path / "part"]
    full = records_of(trial(**often), data, folders[0])
    part = records_of(trial(**often, report_dev=10), data, folders[1])
    once = records_of(trial(**{**settings, "epochs": 4}), data)
    ends = [record for record in part if isinstance(record.epoch, int)]
    for one, other in zip(ends, once, strict=True):
        assert (one.score, one.best_score, one.exits) == (other.score, other.best_score, other.exits)
        assert one.dev_examples is None
    for one, other in zip(part, full, strict=True):
        assert (one.train_loss, one.step, one.costs.train_flops) == (
            other.train_loss,
            other.step,
            other.costs.train_flops,
        )
        if one.dev_examples is None:
            assert (one.score, one.exits, one.costs.eval_flops) == (other.score, other.exits, other.costs.eval_flops)
        else:
            assert one.dev_examples == 10
            assert one.dev_logits is None
            assert (one.costs.eval_flops or 0) < (other.costs.eval_flops or 0)
    by_epoch = {record.epoch: record for record in part}
    assert best_epoch(by_epoch) == best_epoch({record.epoch: record for record in once})
    assert trial_score(by_epoch) == once[-1].best_score
    said = epoch_flops(trial(**often, report_dev=10), data)
    assert said.evaluation == tuple(record.costs.eval_flops for record in part)


def test_a_score_on_the_part_is_that_of_the_full_logits_on_it(trial: Make, data: TokenisedTask, tmp_path: Path) -> None:
    often: dict[str, Any] = {"epochs": 3, "reports_per_epoch": 2}
    full = records_of(trial(**often), data, tmp_path)
    made = trial(**often, report_dev=0.4)
    part = records_of(made, data)
    rows = dev_part(data.dev.labels, 0.4)
    compared = 0
    for one, other in zip(part, full, strict=True):
        if one.dev_examples is None or other.dev_logits is None:
            continue
        compared += 1
        logits = read_logits(tmp_path, other.dev_logits).logits[:, rows]
        metric = made.settings.metric
        metrics = exit_metrics(logits, data.dev.labels[rows], data.metrics, metric, 0)
        score, _ = selected_score([found.exit for found in one.exits], metrics, metric)
        # In other batches, so padded to other lengths: the logits differ by rounding, and answers hardly ever do.
        assert one.score == pytest.approx(score, abs=1e-9)
        assert one.dev_examples == len(rows)
    assert compared


def test_best_scores_are_over_like_reports(trial: Make, data: TokenisedTask) -> None:
    part = records_of(trial(epochs=4, reports_per_epoch=3, report_dev=8), data)
    for kind in (None, 8):
        alike = [record for record in part if record.dev_examples == kind]
        best = -1.0
        for record in alike:
            best = max(best, record.score)
            assert record.best_score == best


@pytest.mark.parametrize("stop", [1, 2, 4, 5])
def test_a_resumed_trial_goes_on_alike(trial: Make, data: TokenisedTask, tmp_path: Path, stop: int) -> None:
    made = trial(epochs=3, reports_per_epoch=2, report_dev=9)
    whole = [plain(record) for record in records_of(made, data)]
    with TrialRun(made, data, threads=1) as first:
        before = [plain(next(first)) for _ in range(stop)]
        first.save(tmp_path)
    with TrialRun(made, data, threads=1) as second:
        second.load(tmp_path)
        assert before + [plain(record) for record in second] == whole


def test_more_than_dev_has_its_place(trial: Make, data: TokenisedTask) -> None:
    made = trial(epochs=2, reports_per_epoch=2, report_dev=len(data.dev) + 1)
    with pytest.raises(FieldError) as caught:
        epoch_flops(made, data)
    assert caught.value.path == "training.report_dev"
