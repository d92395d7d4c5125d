"""The passes LeeBERT declares against torch's counter; the plan and a trial agree; a paused trial goes on as if never.

The loss itself is one small matrix product over the logits, which no account of a model's FLOPs lists: it is counted
apart and taken off.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_settings import made_settings
from method_cases import Case
from torch.utils.flop_counter import FlopCounterMode

from greenexp.meters.flops import training_flops
from greenexp.methods.base import MicroBatch
from greenexp.methods.cross_level import CrossLevelRun
from greenexp.plan.flops import epoch_flops
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun

LAYERS = 3


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("weights", ["uniform", "random", "slo", "blo", "clo-v1", "clo-v2"])
def test_declared_passes_equal_the_counter(weights: str, step: int, make_trial, make_batch):
    trial = make_trial(Case({"name": "leebert", "weights": weights, "cycle": 2}, (1, 1, 1)))
    first, second = make_batch((5, 9, 3)), make_batch((7, 4))
    context = dataclasses.replace(trial.context(first, step=step), second=second)
    with FlopCounterMode(display=False) as counter:
        trial.run.step(context)
    passes = trial.run.passes(1, step)
    expected = 0
    for number, batch in ((1, first), (2, second)):
        own = [one for one in passes if one.batch == number]
        expected += sum(training_flops(trial.model.costs(*micro.inputs.input_ids.shape), own) for micro in batch)
        backward, forward = (sum(bool(one.backward) == wanted for one in own) for wanted in (True, False))
        expected += (2 * backward + forward) * sum(map(of_the_matrix, batch))
    assert expected == counter.get_total_flops()


def of_the_matrix(micro: MicroBatch) -> int:
    """[student, example x class] times [example x class, teacher]; as much again for the students' gradient."""
    return 2 * LAYERS * LAYERS * len(micro.labels) * 2


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    task = Clauses(train=50, dev=20, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 32)


def trial_of(**method: Any) -> TrialSpec:
    settings = made_settings(
        backbone={"layers": LAYERS, "hidden": 16, "heads": 2, "max_positions": 40},
        method={"name": "leebert", "weight_learning_rate": 0.05, **method},
        training={"epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32"},
    )
    return TrialSpec("c000-i0-o0", "c000", 0, settings, {}, TrialSeeds(0, 0))


@pytest.mark.parametrize("method", [{"weights": "slo"}, {"weights": "clo-v2", "cycle": 3}], ids=["slo", "clo-v2"])
def test_pause_resume_same_numbers_and_the_plan_knew_the_flops(method: dict[str, Any], data, tmp_path: Path):
    trial = trial_of(**method)
    with TrialRun(trial, data) as run:
        whole = list(run)
    assert [record.costs.train_flops for record in whole] == list(epoch_flops(trial, data).training)
    with TrialRun(trial, data) as run:
        next(run)
        run.save(tmp_path / "checkpoint")
    with TrialRun(trial, data) as run:
        run.load(tmp_path / "checkpoint")
        rest = list(run)
    assert [(one.train_loss, one.exits) for one in rest] == [(one.train_loss, one.exits) for one in whole[1:]]


def test_halves_are_disjoint_drawn_anew_every_epoch_and_never_from_dev(data, monkeypatch):
    """The list's `D2 from dev` and `D1/D2 not re-split or overlapping`."""
    seen: dict[int, list[tuple[set[int], set[int]]]] = {}
    texts: list[np.ndarray] = []
    step = CrossLevelRun.step

    def watched(self, context):
        rows = tuple(rows_of(batch) for batch in (context.batch, context.second))
        seen.setdefault(context.epoch, []).append(rows)
        for micro in context.second:
            for row, ids in zip(micro.indices, micro.inputs.input_ids, strict=True):
                length = data.train.lengths[row]
                texts.append(np.array_equal(ids[:length].cpu().numpy(), own_tokens(data, int(row))))
        return step(self, context)

    monkeypatch.setattr(CrossLevelRun, "step", watched)
    with TrialRun(trial_of(weights="clo-v1"), data) as run:
        list(run)
    halves = [tuple(set().union(*side) for side in zip(*pairs, strict=True)) for pairs in seen.values()]
    assert len(halves) == 3
    for first, second in halves:
        assert first.isdisjoint(second)
        assert first | second == set(range(50))
        assert len(first) == 25
    assert halves[0] != halves[1] != halves[2] != halves[0]
    assert texts
    assert all(texts)


def rows_of(batch: Sequence[MicroBatch]) -> set[int]:
    return {int(row) for micro in batch for row in micro.indices}


def own_tokens(data: TokenisedTask, row: int) -> np.ndarray:
    from greenexp.tasks.batches import pad

    return pad(data.train, np.array([row]), data.pad_id).input_ids[0]


def test_an_epoch_of_a_split_has_half_the_steps(data):
    records = {}
    for weights in ("slo", "clo-v1"):
        with TrialRun(trial_of(weights=weights), data) as run:
            records[weights] = next(run)
    assert (records["slo"].step, records["slo"].examples) == (7, 50)
    assert (records["clo-v1"].step, records["clo-v1"].examples) == (4, 25)


def test_omega_is_in_the_checkpoint(data, tmp_path: Path):
    from greenexp.training.checkpoint import read_checkpoint

    with TrialRun(trial_of(weights="slo"), data) as run:
        next(run)
        run.save(tmp_path / "checkpoint")
    tensors, _ = read_checkpoint(tmp_path / "checkpoint")
    assert tensors["method.weights.free"].shape == (LAYERS + LAYERS * (LAYERS - 1),)
    assert tensors["method.weights.free"].dtype == torch.float64
    assert tensors["method.weights.step"].item() == 7
