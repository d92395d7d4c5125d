"""A trial with a learning-to-exit module: its words on dev and test are recorded, and a served model says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from greenexp.inference import EarlyExitEngine, Tokens
from greenexp.model import load_model
from greenexp.records.trial import TrialSpec
from greenexp.replay import exits_taken
from greenexp.replay.logits import StoredLogits, read_logits
from greenexp.replay.naming import resolve
from greenexp.tasks.tokens import TokenisedSplit, TokenisedTask
from greenexp.training import TrialRun
from greenexp.training.evaluation import evaluate
from greenexp.training.held_out import evaluate_held_out

Make = Callable[..., TrialSpec]


@pytest.fixture(scope="module")
def found(
    trial: Make, data: TokenisedTask, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, StoredLogits, StoredLogits]:
    """Folder of the model, and what was stored on dev and on test."""
    folder = tmp_path_factory.mktemp("berxit")
    one = trial(method={"name": "berxit"}, backbone={"layers": 3, "attention": "eager"}, learning_rate=2e-2, epochs=8)
    with TrialRun(one, data, model_folder=folder / "model", logits_folder=folder) as run:
        best = [record for record in run if record.dev_logits is not None][-1]
    held_out = evaluate_held_out(one, data, folder / "model", best.epoch, logits_folder=folder)
    assert best.dev_logits is not None
    assert held_out.logits is not None
    return folder / "model", read_logits(folder, best.dev_logits), read_logits(folder, held_out.logits)


def examples_of(split: TokenisedSplit) -> list[Tokens]:
    ends = zip(split.offsets[:-1], split.offsets[1:], strict=True)
    return [Tokens(split.ids[first:last].tolist()) for first, last in ends]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_what_is_stored_is_what_the_model_says(found, data: TokenisedTask, split: str) -> None:
    folder, dev, test = found
    stored, examples = (dev, data.dev) if split == "dev" else (test, data.test)
    engine = EarlyExitEngine.load(folder, "learned")
    assert stored.learned is not None
    assert stored.learned.shape == stored.logits.shape[:2] == (3, len(examples))
    for place, tokens in enumerate(examples_of(examples)):
        with torch.inference_mode():
            said = engine.model.outputs(engine.segments.batch_of([engine.checked(tokens)], 0))
        learned = torch.stack(said.learned or ())[:, 0].numpy()
        assert np.allclose(learned, stored.learned[:, place], atol=1e-5)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_served_model_decides_as_the_replay_of_its_trial(found, data: TokenisedTask, split: str) -> None:
    folder, dev, test = found
    stored, examples = (dev, data.dev) if split == "dev" else (test, data.test)
    assert stored.learned is not None
    values = np.unique(stored.learned[:-1])
    first = np.flatnonzero(np.diff(values) > 1e-5)  # rounding decides nothing
    policies = [f"learned:{(values[place] + values[place + 1]) / 2}" for place in first]
    policy = min(policies, key=lambda one: np.bincount(exits_taken(stored.record, one)).max())
    answers = EarlyExitEngine.load(folder, policy).answer(examples_of(examples), 8)
    exits = exits_taken(stored.record, policy)
    assert [answer.exit for answer in answers] == exits.tolist()
    assert len(set(exits)) > 1
    says = np.asarray(resolve(policy, stored.record)[1].answers(stored.record))
    assert [answer.prediction for answer in answers] == says[exits - 1, np.arange(len(exits))].tolist()
    assert stored.costs is not None
    columns = stored.costs.columns(stored.record.lengths)
    assert [answer.inference_flops for answer in answers] == stored.costs.dynamic_flops[exits - 1, columns].tolist()


def test_flops_of_an_evaluation_count_the_module(found, data: TokenisedTask) -> None:
    folder, _, _ = found
    model = load_model(folder)
    assert model.learned is not None
    how = {"batch_size": 8, "pad_id": data.pad_id, "precision": "fp32", "device": torch.device("cpu")}
    whole = evaluate(model, data.dev, exits=(1, 3), **how)
    calls: list[tuple[int, ...]] = []
    model.learned.register_forward_pre_hook(lambda _, given: calls.append(tuple(given[0].shape)))
    with FlopCounterMode(display=False) as counter:
        evaluate(model, data.dev, exits=(1, 3), **how)
    module = sum(2 * examples * hidden for examples, hidden in calls)
    assert len(calls) == 2 * 5
    assert module > 0
    assert counter.get_total_flops() == whole.flops
    model.learned = None
    assert whole.flops - evaluate(model, data.dev, exits=(1, 3), **how).flops == module


def test_a_trial_without_the_module_stores_nothing_of_it(trial: Make, data: TokenisedTask, tmp_path: Path) -> None:
    method = {"name": "berxit", "learning_to_exit": False}
    with TrialRun(trial(method=method, epochs=1), data, logits_folder=tmp_path) as run:
        record = next(run)
    assert record.dev_logits is not None
    assert read_logits(tmp_path, record.dev_logits).learned is None
