"""BERxiT: whose loss a step descends, what the module learns, what it costs, and that parity survives a pause."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_settings import made_model_settings, made_settings
from method_cases import Case, Trial
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.errors import InputError
from greenexp.meters.flops import training_flops
from greenexp.methods import METHODS
from greenexp.methods.base import MicroBatch, TrialShape
from greenexp.methods.berxit import Berxit
from greenexp.objectives import learning_to_exit_loss, wrongness
from greenexp.records.costs import Part
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun

EVEN, ODD = 4, 7
WAYS: dict[str, tuple[dict[str, Any], int, tuple[float, ...]]] = {
    "even": ({}, EVEN, (0, 0, 1)),
    "odd": ({}, ODD, (1, 1, 1)),
    "odd, as official": ({"odd_steps_skip_last": True}, ODD, (1, 1, 0)),
    "weighted, even": ({"schedule": "weighted"}, EVEN, (1 / 6, 2 / 6, 3 / 6)),
    "weighted, odd": ({"schedule": "weighted"}, ODD, (1 / 6, 2 / 6, 3 / 6)),
    "joint": ({"schedule": "joint"}, EVEN, (1, 1, 1)),
}
"""Fields, step, and each exit's weight in the loss of that step."""

each_way = pytest.mark.parametrize("way", WAYS)
with_and_without = pytest.mark.parametrize("module", [True, False], ids=["module", "no module"])


def case_of(way: str, module: bool, **changes: Any) -> Case:
    fields, _, weights = WAYS[way]
    return Case({"name": "berxit", "learning_to_exit": module, **fields}, weights, **changes)


def by_hand(trial: Trial, micro: MicroBatch, weights: tuple[float, ...], module: bool, regression: bool) -> Tensor:
    """The objective, example by example, from the states after each layer."""
    model, total, squares = trial.model, torch.zeros((), dtype=torch.float64), []
    state = model.backbone.embed(micro.inputs)
    for place, weight in enumerate(weights):
        state = model.backbone.layer(place, state)
        pooled = model.backbone.pool(state)
        logits = model.heads[place].classifier(pooled)
        for row, hidden, label in zip(logits, pooled, micro.labels, strict=True):
            term = (row[0] - label) ** 2 if regression else -functional.log_softmax(row, dim=0)[label]
            total = total + weight * term / len(micro.labels)
            if module:
                scorer = model.learned.scorer
                said = 1 / (1 + torch.exp(-(scorer.weight[0] @ hidden) - scorer.bias[0]))
                target = abs(torch.tanh(row[0] - label)).item() if regression else float(row.argmax() != label)
                squares.append((said - target) ** 2)
    return total + torch.stack(squares).mean() if module else total


@each_way
@with_and_without
@pytest.mark.parametrize("regression", [False, True], ids=["classes", "regression"])
def test_gradients_equal_a_hand_written_sum(way: str, module: bool, regression: bool, make_trial, make_batch):
    trial = make_trial(case_of(way, module), num_labels=1 if regression else 2)
    (micro,) = batch = make_batch(regression=regression)
    _, step, weights = WAYS[way]
    found = trial.run.step(trial.context(batch, step=step))
    trial.check_step(found, by_hand(trial, micro, weights, module, regression))


@each_way
@with_and_without
def test_only_what_is_taught_gets_gradients(way: str, module: bool, make_trial, make_batch):
    """None, not zero, so that an optimiser leaves the other heads where they are."""
    trial = make_trial(case_of(way, module))
    _, step, weights = WAYS[way]
    trial.run.step(trial.context(make_batch(), step=step))
    names = set(trial.gradients())
    for place, weight in enumerate(weights):
        assert (f"heads.{place}.classifier.weight" in names) == (weight > 0)
    assert ("learned.scorer.weight" in names) == module == (trial.model.learned is not None)


def test_the_module_trains_the_encoder_and_its_target_does_not(make_trial, make_batch):
    """u is not cut off from the layers below an exit; t is a constant."""
    trial = make_trial(case_of("even", True))
    (micro,) = make_batch()
    found = trial.model.outputs(micro.inputs)
    logits = torch.stack(found.logits)
    learning_to_exit_loss(torch.stack(found.learned), logits, micro.labels).backward()
    names = set(trial.gradients())
    assert "backbone.model.encoder.layer.0.output.dense.weight" in names
    assert not any(name.startswith("heads.") for name in names)


@each_way
@with_and_without
@pytest.mark.parametrize(
    ("freeze", "lengths", "pooling"),
    [((), (5, 9, 3), "pooler"), ((Part.EMBEDDINGS,), (6,), "pooler"), ((), (6,), "cls")],
    ids=["micro-batches", "frozen embeddings", "no pooler"],
)
def test_declared_passes_equal_the_counter(way, module, freeze, lengths, pooling, make_trial, make_batch):
    trial = make_trial(case_of(way, module, backbone={"pooling": pooling}), freeze=freeze)
    batch, step = make_batch(lengths), WAYS[way][1]
    with FlopCounterMode(display=False) as counter:
        trial.run.step(trial.context(batch, step=step))
    shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
    passes = trial.run.passes(1, step)
    expected = sum(training_flops(trial.model.costs(*shape), passes, frozen=freeze) for shape in shapes)
    assert expected == counter.get_total_flops() > 0


def test_an_even_step_without_the_module_is_a_step_of_finetune(make_trial):
    run, costs = make_trial(case_of("even", False)).run, make_trial(Case({"name": "finetune"}, (0, 0, 1)))
    assert run.passes(1, EVEN) == costs.run.passes(1, EVEN) != run.passes(1, ODD)


@each_way
@with_and_without
def test_micro_batches_add_up_to_the_batch(way: str, module: bool, make_trial, make_batch):
    case, step = case_of(way, module), WAYS[way][1]
    parts, whole = make_trial(case), make_trial(case)
    pieces = make_batch((6, 6, 6))
    together = MicroBatch(
        type(pieces[0].inputs)(*(torch.cat([getattr(one.inputs, name) for one in pieces]) for name in TOKENS)),
        torch.cat([one.labels for one in pieces]),
        1.0,
    )
    total = parts.run.step(parts.context(pieces, step=step))
    assert torch.allclose(total, whole.run.step(whole.context([together], step=step)), rtol=1e-12)
    assert len(parts.updates) == 1
    assert parts.gradients().keys() == whole.gradients().keys()
    for name, value in parts.gradients().items():
        assert torch.allclose(value, whole.gradients()[name], rtol=1e-9, atol=1e-14), name


TOKENS = ("input_ids", "attention_mask")


def test_turns_go_on_over_epochs():
    run = Berxit(learning_to_exit=False).begin(TrialShape((1, 2), 2, 2, 5))
    for step in range(6):
        for epoch in (1, 2, 5):
            assert run.passes(epoch, step)[0].exits == ((2,) if step % 2 == 0 else (1, 2))
    assert run.stage(1) == run.stage(5)
    assert run.trained_exits(1) == (1, 2)
    assert run.state_dict() == {}


def test_bfloat16_autocast(make_trial, make_batch):
    trial = make_trial(case_of("odd", True))
    trial.model.float()
    context = trial.context(make_batch(), step=ODD)
    object.__setattr__(context, "precision", lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    loss = trial.run.step(context)
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert all(value.isfinite().all() for value in trial.gradients().values())


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(0, 1000))
def test_targets_of_the_module(exits: int, examples: int, classes: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(exits, examples, classes, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.randint(classes, (examples,), generator=generator) if classes > 1 else torch.randn(examples)
    found = wrongness(logits, labels)
    assert not found.requires_grad
    assert found.shape == (exits, examples)
    for row, answers in zip(found.tolist(), logits.tolist(), strict=True):
        for value, answer, label in zip(row, answers, labels.tolist(), strict=True):
            if classes == 1:
                assert value == pytest.approx(abs(torch.tanh(torch.tensor(answer[0] - label)).item()), abs=1e-6)
            else:
                assert value == float(answer.index(max(answer)) != label)
    assert learning_to_exit_loss(found, logits, labels) == 0


def test_the_loss_of_the_module_does_not_broadcast():
    with pytest.raises(ValueError, match=r"\(2, 1\).*\(2, 3, 4\)"):
        learning_to_exit_loss(torch.zeros(2, 1), torch.zeros(2, 3, 4), torch.zeros(3))


def test_fields():
    assert TypeAdapter(METHODS["berxit"]).validate_python({"schedule": "joint"}) == Berxit("joint")
    for wrong in ({"schedule": "odd"}, {"learning_to_exit": "perhaps"}):
        with pytest.raises((ValidationError, InputError)):
            TypeAdapter(Berxit).validate_python(wrong)
    with pytest.raises(InputError, match="odd steps"):
        Berxit("joint", odd_steps_skip_last=True)
    with pytest.raises(InputError, match="left"):
        Berxit(odd_steps_skip_last=True).begin(TrialShape((3,), 3, 2, 1))


def test_adapt_asks_for_the_module():
    settings = made_model_settings()
    assert Berxit().adapt(settings) == replace(settings, learned=True)
    assert not settings.learned
    assert Berxit(learning_to_exit=False).adapt(settings) == settings


def test_a_model_without_the_module_is_noticed(make_trial, make_batch):
    trial = make_trial(case_of("even", True))
    trial.model.learned = None
    with pytest.raises(ValueError, match="adapted settings"):
        trial.run.step(trial.context(make_batch()))
    with pytest.raises(ValueError, match="without a batch"):
        trial.run.step(trial.context([]))


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    """5 steps of 16 per epoch: epochs begin on even and odd steps by turns."""
    task = Clauses(train=80, dev=24, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 32)


def trial_of(**training: Any) -> TrialSpec:
    settings = made_settings(
        backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40},
        method={"name": "berxit"},
        training={"epochs": 3, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"} | training,
    )
    return TrialSpec("c000-i0-o0", "c000", 0, settings, {}, TrialSeeds(0, 0))


def told(record: Any) -> dict[str, Any]:
    """A record without what was measured."""
    fields = record.to_json()
    flops = fields.pop("costs")["train_flops"]
    return {name: value for name, value in fields.items() if name != "not_measured"} | {"flops": flops}


@pytest.mark.parametrize("training", [{}, {"micro_batch_size": 5}], ids=["whole", "micro-batches"])
def test_pause_close_load_continue(training: dict[str, Any], data: TokenisedTask, tmp_path: Path):
    with TrialRun(trial_of(**training), data, logits_folder=tmp_path / "logits") as run:
        expected = [told(record) for record in run]
    assert expected[0]["flops"] != expected[1]["flops"]  # 3 even steps, then 2
    resumed = []
    run = TrialRun(trial_of(**training), data, logits_folder=tmp_path / "logits")
    for epoch in range(3):
        run.save(tmp_path / "checkpoint")
        run.close()
        run = TrialRun(trial_of(**training), data, logits_folder=tmp_path / "logits")
        run.load(tmp_path / "checkpoint")
        assert run.epoch == epoch
        resumed.append(told(next(run)))
    run.close()
    assert resumed == expected


def test_the_plan_foresees_the_flops(data: TokenisedTask):
    from greenexp.plan.flops import epoch_flops

    with TrialRun(trial_of(), data) as run:
        records = list(run)
    foreseen = epoch_flops(trial_of(), data)
    assert [record.costs.train_flops for record in records] == list(foreseen.training)
    assert [record.costs.eval_flops for record in records] == list(foreseen.evaluation)
