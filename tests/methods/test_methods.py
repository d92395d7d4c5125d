"""Every method: its gradients against a hand-written sum, its exits, its protocol."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_settings import made_model_settings
from method_cases import CASES, EPOCHS, WITH_TESTS_OF_THEIR_OWN, Case
from pydantic import TypeAdapter, ValidationError
from torch.nn import functional

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError, UnknownNameError
from greenexp.methods import METHODS
from greenexp.methods.base import MicroBatch, TrialShape
from greenexp.methods.branchynet import BranchyNet
from greenexp.methods.finetune import FineTune
from greenexp.methods.pabee import Pabee
from greenexp.records.sections import MethodChoice

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def test_every_method_has_a_case():
    assert {case.fields["name"] for case in CASES} | WITH_TESTS_OF_THEIR_OWN == set(METHODS)
    for name in WITH_TESTS_OF_THEIR_OWN:
        assert list(Path(__file__).parent.glob(f"test_{name}*.py")), name


@each_case
@pytest.mark.parametrize("regression", [False, True])
def test_gradients_equal_a_hand_written_sum(case: Case, regression: bool, make_trial, make_batch):
    trial = make_trial(case, num_labels=1 if regression else 2)
    (micro,) = batch = make_batch(regression=regression)
    found = trial.run.step(trial.context(batch, case.epoch))
    logits = trial.model(micro.inputs)
    expected = torch.zeros((), dtype=torch.float64)
    for weight, exit_logits in zip(case.weights, logits, strict=True):
        for row, label in zip(exit_logits, micro.labels, strict=True):
            term = (row[0] - label) ** 2 if regression else -functional.log_softmax(row, dim=0)[label]
            expected = expected + weight * term / len(micro.labels)
    trial.check_step(found, expected)


@each_case
def test_micro_batches_add_up_to_the_batch(case: Case, make_trial, make_batch):
    pieces, parts, whole = make_batch((5, 7, 4)), make_trial(case), make_trial(case)
    total = parts.run.step(parts.context(pieces, case.epoch))
    assert torch.allclose(total, whole.run.step(whole.context([together(pieces)], case.epoch)), rtol=1e-12)
    assert parts.gradients().keys() == whole.gradients().keys()
    for name, value in parts.gradients().items():
        assert torch.allclose(value, whole.gradients()[name], rtol=1e-9, atol=1e-14), name
    assert len(parts.updates) == 1


def together(pieces: list[MicroBatch]) -> MicroBatch:
    """All examples as one batch, padded to the longest."""
    length = max(piece.inputs.input_ids.shape[1] for piece in pieces)

    def padded(tensors: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat([functional.pad(tensor, (0, length - tensor.shape[1])) for tensor in tensors])

    ids = padded([piece.inputs.input_ids for piece in pieces])
    masks = padded([piece.inputs.attention_mask for piece in pieces])
    return MicroBatch(TokenBatch(ids, masks), torch.cat([piece.labels for piece in pieces]), share=1.0)


@each_case
def test_what_trains(case: Case, make_trial, make_batch):
    trial = make_trial(case)
    trial.run.step(trial.context(make_batch(), case.epoch))
    with_gradient = set(trial.gradients())
    deepest = trial.model.exit_layers[case.trained[-1] - 1]
    for number in trial.model.exits:
        assert (f"heads.{number - 1}.classifier.weight" in with_gradient) == (number in case.trained)
    for layer in range(trial.model.backbone.num_layers):
        name = f"backbone.model.encoder.layer.{layer}.output.dense.weight"
        assert (name in with_gradient) == (layer < deepest and not case.heads_only)
    assert ("backbone.model.embeddings.word_embeddings.weight" in with_gradient) == (not case.heads_only)


@pytest.mark.parametrize("case", [case for case in CASES if not case.staged], ids=str)
def test_stages_and_passes(case: Case, make_trial):
    run = make_trial(case).run
    stages = {run.stage(epoch) for epoch in range(1, EPOCHS + 1)}
    assert len(stages) == 1
    (stage,) = stages
    assert (stage.number, stage.first_epoch, stage.last_epoch) == (1, 1, EPOCHS)
    assert stage.exits == run.trained_exits(1) == run.trained_exits(EPOCHS) == case.trained
    (only,) = run.passes(1, 0)
    assert (only.exits, only.backward) == (case.trained, (case.trained,))


@each_case
def test_state_survives_a_pause(case: Case, make_trial):
    run, other = make_trial(case).run, make_trial(case).run
    other.load_state_dict(run.state_dict())
    with pytest.raises(ValueError, match="holds no state"):
        other.load_state_dict({"omega": 1})


@each_case
def test_bfloat16_autocast(case: Case, make_trial, make_batch):
    trial = make_trial(case)
    trial.model.float()
    context = trial.context(make_batch(), case.epoch)
    context = dataclasses.replace(context, precision=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    loss = trial.run.step(context)
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert all(value.isfinite().all() for value in trial.gradients().values())


@each_case
def test_fields_are_plain_json_and_validated(case: Case):
    fields = {name: value for name, value in case.fields.items() if name != "name"}
    plugin = METHODS[case.fields["name"]]
    assert TypeAdapter(plugin).validate_python(fields) == MethodChoice(**case.fields).plugin()
    with pytest.raises((ValidationError, TypeError)):
        MethodChoice(**case.fields, wings=2).plugin()


@pytest.mark.parametrize("weights", ["squared", [], [0, 0], [1, -1], [1, float("nan")], [float("inf")]])
def test_branchynet_refuses_weights(weights: object):
    with pytest.raises(InputError, match="weights"):
        BranchyNet(weights)


def test_branchynet_wants_one_weight_per_exit():
    with pytest.raises(InputError, match="2 numbers for 3 exits"):
        BranchyNet((1, 2)).begin(TrialShape((1, 2, 3), 3, 2, 1))


def test_finetune_adapts_backbone_and_exits():
    settings = made_model_settings(backbone={"layers": 6}, exits={"layers": [2, 4, 6]})
    cut = FineTune(layers=3).adapt(settings)
    assert cut.backbone.to_json() == {"name": "bert", "layers": 3}
    assert cut.layers == (2, 3)
    assert FineTune().adapt(settings) is settings
    assert FineTune(layers=3).adapt(replace(settings, layers="all")).layers == "all"
    with pytest.raises(InputError, match=r"7 .*6"):
        FineTune(layers=7).adapt(settings)


def test_finetune_notices_a_model_that_was_not_cut():
    with pytest.raises(InputError, match="adapted settings"):
        FineTune(layers=2).begin(TrialShape((1, 2, 3), 3, 2, 1))


def test_unknown_method():
    with pytest.raises(UnknownNameError, match="'pabee'"):
        MethodChoice(name="pabe").plugin()


def test_a_step_needs_a_batch(make_trial):
    trial = make_trial(CASES[0])
    with pytest.raises(ValueError, match="without a batch"):
        trial.run.step(trial.context([]))


def test_pabee_loss_equals_the_official_one(reference):
    inputs = reference("exit_logits")["classes"]["3"]
    logits = torch.tensor(inputs["logits"], dtype=torch.float64)
    shape = TrialShape(tuple(range(1, len(logits) + 1)), len(logits), logits.shape[-1], 1)
    loss = Pabee().begin(shape).loss(logits, torch.tensor(inputs["labels"]), 1)
    assert loss.item() == pytest.approx(reference("patience")["training_loss"]["loss"], abs=1e-6)
