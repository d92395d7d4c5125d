"""A trial ends by its patience: after which epoch, in which stage, across a pause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from greenexp.methods import METHODS
from greenexp.methods.base import MethodRun, Stage, TrialShape
from greenexp.objectives import exit_losses
from greenexp.records.epoch import EpochRecord
from greenexp.records.sections import Metric, Training
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun, run
from greenexp.training.patience import TrialPatience

Make = Callable[..., TrialSpec]


def ends_after(scores: Sequence[float], patience: int, first_epoch: int, sign: float) -> int | None:
    """By the definition: the first epoch whose last `patience` scores are none above the best before them."""
    own = [sign * score for score in scores[first_epoch - 1 :]]
    for count in range(patience + 1, len(own) + 1):
        if max(own[count - patience : count]) <= max(own[: count - patience]):
            return first_epoch - 1 + count
    return None


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from(["max", "min"]),
)
def test_it_is_exhausted_where_the_definition_says(
    scores: list[float], patience: int, first_epoch: int, mode: Any
) -> None:
    counting = TrialPatience(patience, first_epoch, Metric(name="loss", mode=mode))
    found = None
    for epoch, score in enumerate(scores, start=1):
        # Through its state, as if the trial had been paused after every epoch.
        before, counting = counting, TrialPatience(patience, first_epoch, Metric(name="loss", mode=mode))
        counting.restore(before.state())
        counting.note(epoch, score)
        if counting.exhausted:
            found = epoch
            break
    assert found == ends_after(scores, patience, first_epoch, 1.0 if mode == "max" else -1.0)


def test_without_patience_nothing_is_exhausted() -> None:
    endless = TrialPatience(None, 1, Metric())
    for epoch in range(1, 50):
        endless.note(epoch, 0.5)
    assert not endless.exhausted


def test_no_patience_is_the_default_and_zero_is_refused() -> None:
    assert Training().patience is None
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Training(patience=0)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
    """`scripted(scores)`: what the epochs of the next trial score, whatever it learns."""

    def script(scores: Sequence[float]) -> None:
        left = list(scores)
        monkeypatch.setattr(run, "selected_score", lambda *_: (left.pop(0), None))

    return script


SCORES = (0.5, 0.7, 0.7, 0.6, 0.9, 0.9)


@pytest.mark.parametrize(("patience", "last"), [(1, 3), (2, 4), (3, 6), (None, 6)])
def test_a_trial_ends_with_a_last_record(
    patience: int | None, last: int, trial: Make, data: TokenisedTask, scripted: Callable[[Sequence[float]], None]
) -> None:
    scripted(SCORES)
    with TrialRun(trial(epochs=6, patience=patience), data) as training:
        records = list(training)
        assert list(training) == []
    assert [record.epoch for record in records] == list(range(1, last + 1))
    assert [record.last for record in records] == [False] * (last - 1) + [True]
    assert records[-1].best_score == max(SCORES[:last])


def test_a_trial_that_ends_by_patience_trained_as_a_longer_one(
    trial: Make, data: TokenisedTask, numbers: Callable[[EpochRecord], dict[str, Any]]
) -> None:
    """Same learning rates, same losses: patience decides when to end and nothing else."""
    with TrialRun(trial(epochs=5, learning_rate=1e-9, patience=2), data) as training:
        short = [numbers(record) for record in training]
    with TrialRun(trial(epochs=5, learning_rate=1e-9), data) as training:
        long = [numbers(record) for record in training][: len(short)]
    assert len(short) == 3, "nothing was learnt, so nothing can have improved"
    assert short[:2] == long[:2]
    assert {**short[2], "last": False} == long[2]


@pytest.mark.parametrize("pause", [1, 2, 3])
def test_a_resumed_trial_counts_on(
    pause: int, trial: Make, data: TokenisedTask, scripted: Callable[[Sequence[float]], None], folder: Path
) -> None:
    scripted(SCORES)
    spec = trial(epochs=6, patience=2)
    with TrialRun(spec, data) as training:
        for _ in range(pause):
            next(training)
        training.save(folder)
    with TrialRun(spec, data) as training:
        training.load(folder)
        records = list(training)
        training.save(folder)
    assert [record.epoch for record in records] == list(range(pause + 1, 5))
    assert records[-1].last
    with TrialRun(spec, data) as training:
        training.load(folder)
        assert list(training) == [], "a trial that ended by patience does not begin again"


class TwoStages(MethodRun):
    """The last exit for two epochs, then all."""

    def stage(self, epoch: int) -> Stage:
        if epoch <= 2:
            return Stage(1, 1, 2, exits=self.shape.exits[-1:])
        return Stage(2, 3, self.shape.epochs, exits=self.shape.exits)

    def loss(self, logits: Any, labels: Any, epoch: int) -> Any:
        return exit_losses(logits, labels).sum()


class TwoStageMethod:
    """A method with two stages."""

    predicts_tokens = False

    def adapt(self, settings: Any) -> Any:
        return settings

    def begin(self, shape: TrialShape) -> TwoStages:
        return TwoStages(shape)


def test_patience_counts_in_the_last_stage_alone(
    trial: Make,
    data: TokenisedTask,
    scripted: Callable[[Sequence[float]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first stage ends nothing, and its scores, over other exits, are no mark for the second."""
    monkeypatch.setitem(METHODS._targets, "two_stages", TwoStageMethod)
    scripted((0.9, 0.8, 0.5, 0.6, 0.6, 0.7))
    with TrialRun(trial(method={"name": "two_stages"}, epochs=6, patience=1), data) as training:
        records = list(training)
    assert [record.last for record in records] == [False, False, False, False, True]
    assert [record.best_score for record in records] == [0.9, 0.9, 0.5, 0.6, 0.6]
