"""DeeBERT and Shallow-Deep: their stages, what is frozen, what they refuse."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import torch
from made_settings import made_model_settings
from method_cases import EPOCHS, MIXED, POOLED, Case
from pydantic import TypeAdapter, ValidationError

from greenexp.errors import InputError
from greenexp.exits.pooled import untrained_if_sure
from greenexp.methods.base import TrialShape
from greenexp.methods.deebert import DeeBert
from greenexp.methods.fastbert import FastBert
from greenexp.methods.shallow_deep import RisingRun, ShallowDeep
from greenexp.records.costs import ALL_PARTS, Part

SHAPE = TrialShape((1, 2, 3), 3, 2, EPOCHS)
STAGED = (DeeBert(), FastBert(), ShallowDeep(mode="ic_only"))
each_staged = pytest.mark.parametrize("method", STAGED, ids=lambda method: type(method).__name__)


@each_staged
def test_two_stages(method: Any):
    run = method.begin(SHAPE)
    first, second = run.stage(1), run.stage(EPOCHS)
    assert [run.stage(epoch) for epoch in range(1, EPOCHS + 1)] == [first, first, second, second]
    assert (first.number, first.first_epoch, first.last_epoch) == (1, 1, 2)
    assert (second.number, second.first_epoch, second.last_epoch) == (2, 3, 4)
    assert (first.exits, first.parts) == ((3,), ALL_PARTS)
    assert (second.exits, second.parts) == ((1, 2), frozenset({Part.HEADS}))
    assert first.learning_rate_factor == 1
    assert second.learning_rate_factor == (10 if isinstance(method, FastBert) else 1)
    assert [run.trained_exits(epoch) for epoch in (1, 2, 3)] == [(3,), (3,), (1, 2, 3)]


@each_staged
@pytest.mark.parametrize(("epochs", "first"), [(2, 1), (3, 2), (5, 3), (10, 5)])
def test_stage_one_takes_half_of_the_epochs_rounded_up(method: Any, epochs: int, first: int):
    assert method.begin(TrialShape((1, 2), 2, 2, epochs)).stage(1).last_epoch == first


@pytest.mark.parametrize("plugin", [DeeBert, FastBert, lambda **fields: ShallowDeep("ic_only", **fields)])
def test_stage_one_as_long_as_wanted(plugin: Any):
    run = plugin(first_epochs=3).begin(SHAPE)
    assert (run.stage(3).number, run.stage(4).number) == (1, 2)
    with pytest.raises(InputError, match="stage 2"):
        plugin(first_epochs=4).begin(SHAPE)


@each_staged
def test_both_stages_need_something_to_train(method: Any):
    with pytest.raises(InputError, match="there are none"):
        method.begin(TrialShape((3,), 3, 2, EPOCHS))
    with pytest.raises(InputError, match="at least one"):
        method.begin(TrialShape((1, 2), 2, 2, 1))


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("epoch", [1, 3])
def test_dropout_of_the_frozen_part(on: bool, epoch: int, make_trial, make_batch):
    fields = {"name": "deebert", "frozen_dropout": on}
    case = Case(fields, (0, 0, 1), head=POOLED, epoch=epoch, backbone={"dropout": 0.5})
    trial, losses = make_trial(case), []
    for _ in range(2):
        trial.model.train()
        losses.append(trial.run.step(trial.context(make_batch(), epoch)).item())
    assert (losses[0] == losses[1]) == (epoch == 3 and not on)
    assert all(trial.model.head(number).training for number in trial.run.stage(epoch).exits)


@pytest.mark.parametrize("plugin", [DeeBert, FastBert, lambda **fields: ShallowDeep("ic_only", **fields)])
def test_learning_rate_of_the_second_stage(plugin: Any):
    run = plugin(later_rate=3.0).begin(SHAPE)
    assert [run.stage(epoch).learning_rate_factor for epoch in (1, 3)] == [1, 3]


def test_off_ramps_are_those_of_the_publication():
    assert DeeBert.defaults["exits.head"] == {"name": "pooled"}
    assert DeeBert.defaults["backbone.pooling"] == "pooler"
    assert FastBert.defaults["exits.head"] == {"name": "attention"}
    assert ShallowDeep.defaults["exits.head"] == {"name": "mixed_pool"}


@pytest.mark.parametrize("num_labels", [2, 3])
def test_the_official_last_exit_is_reproduced(num_labels: int, reference):
    """Decisions of the official encoder: the untrained off-ramp of the last layer answers when it is sure."""
    inputs = reference("exit_logits")["classes"][str(num_labels)]
    ramps = torch.tensor(inputs["logits"], dtype=torch.float64)
    trained = torch.tensor(inputs["final_logits"], dtype=torch.float64)
    answered_untrained = 0
    for official in reference("entropy")["exits"]["by_classes"][str(num_labels)]:
        below = official["threshold"]
        ours = torch.cat([ramps[:-1], untrained_if_sure(ramps[-1], trained, below)[None]])
        entropy = torch.distributions.Categorical(logits=ramps).entropy()
        for example, (layer, prediction, off_ramp) in enumerate(
            zip(official["exit_layer"], official["prediction"], official["off_ramp"], strict=True)
        ):
            sure = [number for number in range(1, len(ramps)) if entropy[number - 1, example] < below]
            left_at = sure[0] if sure else len(ramps)
            assert left_at == layer
            assert ours[left_at - 1, example].argmax().item() == prediction
            untrained = left_at == len(ramps) and off_ramp == 1
            answered_untrained += untrained
            if left_at == len(ramps):
                assert torch.equal(ours[-1, example], ramps[-1, example] if untrained else trained[example])
    assert answered_untrained > 0


def test_the_untrained_classifier_answers_in_evaluation_alone(make_trial, make_batch):
    plain, both = (
        make_trial(Case({"name": "deebert", **more}, (0, 0, 1), head=POOLED, staged=True))
        for more in ({}, {"untrained_last_below": 10.0})
    )
    tokens = make_batch()[0].inputs
    assert torch.equal(plain.model(tokens), both.model(tokens))
    with torch.no_grad():
        answers, other = plain.model.eval()(tokens), both.model.eval()(tokens)
    assert torch.equal(answers[:2], other[:2])
    assert not torch.equal(answers[2], other[2])
    assert plain.model.costs(2, 5) == both.model.costs(2, 5)


def test_the_untrained_classifier_wants_a_pooled_head_and_classes():
    method = DeeBert(untrained_last_below=0.3)
    settings = made_model_settings()
    with pytest.raises(InputError, match=r"pooled.*linear"):
        method.adapt(settings)
    assert DeeBert().adapt(settings) is settings
    adapted = method.adapt(made_model_settings(exits={"head": POOLED}))
    assert adapted.head.to_json() == {**POOLED, "untrained_last_below": 0.3}
    with pytest.raises(InputError, match="regression"):
        method.begin(TrialShape((1, 2), 2, 1, EPOCHS))
    assert DeeBert().begin(TrialShape((1, 2), 2, 1, EPOCHS)).stage(1).exits == (2,)


def test_weights_rise_to_what_an_exit_costs():
    run = RisingRun(TrialShape((1, 3, 4), 4, 2, 10))
    rows = [run.weights(epoch) for epoch in range(1, 11)]
    assert rows[0] == pytest.approx((0.01 + 0.025, 0.01 + 0.075, 1))
    assert rows[4] == pytest.approx((0.01 + 0.125, 0.01 + 0.375, 1))
    assert rows[-1] == (0.25, 0.75, 1)
    for earlier, later in itertools.pairwise(rows):
        assert all(a <= b for a, b in zip(earlier, later, strict=True))


def test_shallow_deep_has_stages_only_without_the_network():
    with pytest.raises(InputError, match="joint"):
        ShallowDeep(mode="joint", first_epochs=2)
    assert isinstance(ShallowDeep().begin(SHAPE), RisingRun)


@pytest.mark.parametrize("plugin", [DeeBert, FastBert, ShallowDeep])
@pytest.mark.parametrize("fields", [{"first_epochs": 0}, {"first_epochs": 1.5}, {"frozen_dropout": "often"}])
def test_fields_are_validated(plugin: Any, fields: dict[str, Any]):
    with pytest.raises(ValidationError):
        TypeAdapter(plugin).validate_json(json.dumps(fields), strict=True)


def test_a_frozen_shared_pooler_is_not_trained(make_trial, make_batch):
    trial = make_trial(Case({"name": "deebert"}, (1, 1, 0), epoch=3, staged=True))
    trial.run.step(trial.context(make_batch(), 3))
    assert {name.split(".")[0] for name in trial.gradients()} == {"heads"}


def test_alpha_trains(make_trial, make_batch):
    trial = make_trial(Case({"name": "shallow_deep"}, (1, 1, 1), head=MIXED))
    trial.run.step(trial.context(make_batch()))
    assert all(trial.gradients()[f"heads.{index}.alpha"].abs() > 0 for index in range(3))
