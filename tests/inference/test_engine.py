"""The engine: one by one, in batches and at once, it answers as replay says, and computes no more than it must."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from served_models import a_serving, made_examples, made_model, recorded, shared_examples, shared_model, shared_record
from torch import nn

from greenexp.errors import InputError
from greenexp.exits import POLICIES
from greenexp.inference import Answer, EarlyExitEngine, Tokens
from greenexp.model import MultiExitModel
from greenexp.replay import FAMILIES, exits_taken
from greenexp.replay.naming import resolve

# No confidence of the examples lies within 1e-4 of a threshold, so rounding decides nothing.
CASES = {
    "static": "static:4",
    "max_probability": "max_probability:0.83",
    "max_probability, unsure": "max_probability:0.97,unsure=most_confident",
    "max_probability per exit": {"name": "max_probability", "threshold": {2: 0.9, 3: 0.7, 5: 0.6}},
    "entropy": "entropy:0.4",
    "entropy, normalised": "entropy:0.3,normalised=true",
    "patience": "patience:1",
    "voting": "voting:1.2,exponent=0.5",
}
REFUSED = {"learned": "learned exit module", "oracle": "label"}


def answers_of(record: Any, policy: Any) -> tuple[list[int], list[int]]:
    """Exit and class of each example by replay."""
    exits = exits_taken(record, policy)
    _, family = resolve(policy, record)
    says = np.asarray(family.answers(record))
    return exits.tolist(), says[np.searchsorted(record.numbers, exits), np.arange(len(exits))].tolist()


def given_by(answers: Sequence[Answer]) -> tuple[list[int], list[int]]:
    return [answer.exit for answer in answers], [int(answer.prediction) for answer in answers]


def largest_difference(left: Sequence[Answer], right: Sequence[Answer]) -> float:
    return max(np.abs(np.subtract(a.logits, b.logits)).max() for a, b in zip(left, right, strict=True))


def test_every_policy_has_a_case():
    assert {name.partition(",")[0].partition(" ")[0] for name in CASES} | set(REFUSED) == set(POLICIES)
    assert set(POLICIES) == set(FAMILIES)


@cache
def one_by_one(case: str) -> list[Answer]:
    engine = EarlyExitEngine(shared_model(), CASES[case])
    return [engine.one(tokens) for tokens in shared_examples()]


@pytest.mark.parametrize("case", CASES)
def test_one_by_one_is_replay(case: str):
    answers, record = one_by_one(case), shared_record()
    assert given_by(answers) == answers_of(record, CASES[case])
    places = [answer.exit - 1 for answer in answers]
    assert largest_difference(answers, [
        Answer(0, None, 1, 1, None, tuple(record.logits[place, i]), 0) for i, place in enumerate(places)
    ]) == 0  # fmt: skip
    if case != "static":
        assert len(set(places)) > 2


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_any_batch_is_one_by_one(case: str, data: st.DataObject):
    """Whoever else is in the batch, in whatever order; and many batches at once, in the order of the input."""
    engine = EarlyExitEngine(shared_model(), CASES[case])
    places = data.draw(st.lists(st.integers(0, len(shared_examples()) - 1), min_size=1, max_size=20))
    examples, alone = [shared_examples()[i] for i in places], [one_by_one(case)[i] for i in places]
    for answers in (engine.batch(examples), engine.answer(examples, data.draw(st.integers(1, 8)))):
        assert given_by(answers) == given_by(alone)
        assert [answer.inference_flops for answer in answers] == [answer.inference_flops for answer in alone]
        assert largest_difference(answers, alone) < 1e-5


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_changes_nothing(attention: str, pooling: str):
    model = made_model(attention=attention, pooling=pooling)
    engine = EarlyExitEngine(model, "patience:2")
    examples = [Tokens([7] * length) for length in (1, 2, 24, 24, 3, 24)]
    answers = engine.batch(examples)
    alone = [engine.one(tokens) for tokens in examples]
    assert given_by(answers) == given_by(alone)
    assert largest_difference(answers, alone) < 1e-5


def test_type_ids_reach_the_model():
    engine = EarlyExitEngine(shared_model(), "static")
    ids = [5, 6, 7, 8]
    plain, typed = Tokens(ids), Tokens(ids, [0, 0, 1, 1])
    apart = [engine.one(plain), engine.one(typed)]
    assert largest_difference([apart[0]], [apart[1]]) > 1e-3
    assert largest_difference(engine.batch([plain, typed]), apart) < 1e-5


@pytest.mark.parametrize("every", [1, 2, 4, 5, 6, 9])
def test_check_every(every: int):
    model, examples = shared_model(), shared_examples()
    consulted = {1: (1, 2, 3, 4, 5, 6), 2: (2, 4, 6), 4: (4, 6), 5: (5, 6), 6: (6,), 9: (6,)}[every]
    for policy in ("max_probability:0.83", "patience:1", "static:3"):
        engine = EarlyExitEngine(model, policy, check_every=every)
        assert policy.startswith("static") or engine.consulted == consulted
        wanted = answers_of(shared_record().only(consulted), policy)
        assert given_by(engine.answer(examples, 7)) == wanted


def test_temperatures():
    model, examples = shared_model(), shared_examples()
    temperatures = {1: 3.0, 2: 0.3, 4: 1.7}
    engine = EarlyExitEngine(model, "max_probability:0.83", temperatures=temperatures)
    record = shared_record()
    answers = engine.answer(examples, 5)
    assert given_by(answers) == answers_of(record.calibrated(temperatures), "max_probability:0.83")
    assert given_by(answers) != answers_of(record, "max_probability:0.83")
    for place, answer in enumerate(answers):
        raw = record.logits[answer.exit - 1, place]
        assert np.abs(raw - answer.logits).max() < 1e-5
        weights = np.exp(raw.astype(np.float64) / temperatures.get(answer.exit, 1.0))
        assert answer.confidence == pytest.approx(weights[answer.prediction] / weights.sum(), abs=1e-5)


class Calls:
    """Counts how often layers and heads of a model run."""

    def __init__(self, model: MultiExitModel) -> None:
        self.layers, self.heads = Counter[int](), Counter[int]()
        layers: Any = model.backbone.model.encoder.layer
        for kind, modules in ((self.layers, [layer.attention for layer in layers]), (self.heads, model.heads)):
            for place, module in enumerate(modules, start=1):
                module.register_forward_pre_hook(self._count(kind, place))

    @staticmethod
    def _count(kind: Counter[int], place: int) -> Any:
        def hook(*_: Any) -> None:
            kind[place] += 1

        return hook


def test_nothing_runs_that_is_not_asked_for():
    model = made_model(layers=[2, 3, 5, 6])
    calls = Calls(model)
    engine = EarlyExitEngine(model, "max_probability:0", exits=(1, 3))
    assert engine.consulted == (1, 3)
    engine.batch(made_examples(3))
    assert (calls.layers, calls.heads) == ({1: 1, 2: 1}, {1: 1})
    EarlyExitEngine(model, "max_probability:2", exits=(1, 3)).batch(made_examples(3))
    assert calls.layers == {1: 2, 2: 2, 3: 1, 4: 1, 5: 1}
    assert calls.heads == {1: 2, 3: 1}


def test_static_evaluates_its_own_exit_alone():
    model = made_model()
    calls = Calls(model)
    for wanted, exits, found in ((3, None, 3), (3, (1, 4, 6), 4), (None, (1, 4), 4)):
        engine = EarlyExitEngine(model, {"name": "static", "exit": wanted}, exits=exits)
        assert engine.consulted == (found,)
        answer = engine.one(Tokens([3, 4, 5]))
        assert (answer.exit, answer.layer) == (found, found)
        assert answer.inference_flops == model.exit_flops(3)[found - 1]
    assert set(calls.heads) == {3, 4}


def test_flops_count_the_exits_on_the_way():
    model, examples = shared_model(), shared_examples()
    engine = EarlyExitEngine(model, "max_probability:0.83", check_every=2)
    costs = model.exit_costs([len(one.ids) for one in examples], (2, 4, 6))
    columns = costs.columns([len(one.ids) for one in examples])
    for column, answer in zip(columns, engine.batch(examples), strict=True):
        assert answer.inference_flops == costs.dynamic_flops[answer.exit // 2 - 1, column]


def test_regression():
    model, examples = shared_model(classes=1), shared_examples()
    engine = EarlyExitEngine(model, "patience:1,tolerance=0.8")
    answers = engine.answer(examples, 6)
    record = recorded(model, examples)
    exits = exits_taken(record, "patience:1,tolerance=0.8")
    assert [answer.exit for answer in answers] == exits.tolist()
    assert len(set(exits)) > 2
    for place, answer in enumerate(answers):
        assert (answer.label, answer.confidence) == (None, None)
        assert (
            answer.prediction == answer.logits[0] == pytest.approx(record.logits[answer.exit - 1, place, 0], abs=1e-5)
        )


def test_weights_that_are_not_numbers_give_answers_at_the_last_exit():
    model = made_model()
    with torch.no_grad():
        model.head(1).classifier.weight.fill_(torch.nan)
        for module in model.backbone.model.encoder.layer[2].modules():
            if isinstance(module, nn.Linear):
                module.weight.fill_(torch.nan)
    for policy in ("max_probability:0", "entropy:9", "patience:1"):
        answers = EarlyExitEngine(model, policy, check_every=1, exits=(1, 4, 6)).batch(made_examples(5))
        assert {answer.exit for answer in answers} == {6}
        assert {answer.confidence for answer in answers} == {None}


def test_a_model_in_training_mode_is_served_without_dropout():
    model = made_model().train()
    engine = EarlyExitEngine(model, "static")
    tokens = Tokens([4, 5, 6])
    assert engine.one(tokens) == engine.one(tokens)


def test_bf16_is_what_autocast_computes():
    model, examples = shared_model(), made_examples(6, seed=4)
    engine = EarlyExitEngine(model, "static", precision="bf16")
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for tokens in examples:
            wanted = model.each_exit(engine.segments.batch_of([engine.checked(tokens)], 0), (6,))[0]
            assert engine.one(tokens).logits == tuple(wanted[0].tolist())
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_an_autocast_around_it_does_not_reach_the_engine():
    engine, tokens = EarlyExitEngine(shared_model(), "static"), Tokens([3, 4, 5])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = engine.one(tokens)
    assert inside == engine.one(tokens)


def test_no_examples():
    engine = EarlyExitEngine(shared_model(), "static")
    assert engine.batch([]) == engine.answer([], 4) == []


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (Tokens([]), "0 tokens.*1 to 24"),
        (Tokens([3] * 25), "25 tokens"),
        (Tokens([3, 60, -1]), "60.*0 to 59"),
        (Tokens([3, -1]), "token id -1 "),
        (Tokens([3, 2**70]), "whole numbers"),
        (Tokens([3, 2**63]), "whole numbers|token id"),
        (Tokens([3, 1.5]), "whole numbers"),  # type: ignore[list-item]
        (Tokens(["a"]), "whole numbers"),  # type: ignore[list-item]
        (Tokens([[3]]), "whole numbers"),  # type: ignore[list-item]
        (Tokens([[3], [3, 4]]), "whole numbers"),  # type: ignore[list-item]
        (Tokens(7), "whole numbers"),  # type: ignore[arg-type]
        (Tokens([3, 4], [0]), "1 type ids for 2 token ids"),
        (Tokens([3, 4], [0, 2]), "another number"),
        (Tokens([True, False]), "whole numbers"),
    ],
)
def test_bad_tokens_are_refused_with_words(tokens: Tokens, message: str):
    engine = EarlyExitEngine(shared_model(), "static")
    for ask in (engine.one, lambda one: engine.batch([Tokens([3]), one]), lambda one: engine.answer([one], 1)):
        with pytest.raises(InputError, match=message):
            ask(tokens)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "entropie"}, "'entropy'"),
        ({"policy": "entropy:threshold=0.1,speed=3"}, "speed"),
        ({"exits": ()}, "1 to 6"),
        ({"exits": (1, 7)}, "1 to 6"),
        ({"exits": (2, 1)}, "1 to 6"),
        ({"check_every": 0}, "check_every is 0"),
        ({"temperatures": {7: 1.0}}, "exit 7.*1 to 6"),
        ({"temperatures": {1: 0.0}}, "above 0"),
        ({"temperatures": {1: float("nan")}}, "above 0"),
        ({"precision": "fp8"}, "fp8"),
        *(({"policy": name}, words) for name, words in REFUSED.items()),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(options: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        EarlyExitEngine(shared_model(), **{"policy": "static"} | options)


@pytest.mark.parametrize("policy", ["max_probability", "entropy", "voting", "patience"])
def test_policies_of_classes_refuse_regression(policy: str):
    with pytest.raises(InputError, match=r"regression|two classes"):
        EarlyExitEngine(shared_model(classes=1), policy)


def test_temperatures_of_regression_are_refused():
    with pytest.raises(InputError, match="predicts a number"):
        EarlyExitEngine(shared_model(classes=1), "static", temperatures={1: 2.0})


def test_policy_in_any_form():
    model, examples = shared_model(), shared_examples()
    forms = [
        "max_probability:0.83",
        {"name": "max_probability", "threshold": 0.83},
        POLICIES["max_probability"](threshold=0.83),
        FAMILIES["max_probability"](threshold=0.83),
    ]
    found = [given_by(EarlyExitEngine(model, form).batch(examples)) for form in forms]
    assert found[1:] == found[:1] * 3


def test_names_of_labels():
    engine = EarlyExitEngine(shared_model(), "static", text=a_serving())
    answer = engine.one(Tokens([3, 4]))
    assert answer.label == engine.label_names[answer.prediction]  # type: ignore[index]
    assert EarlyExitEngine(shared_model(), "static").label_names is None


COMPILED = """
from greenexp.inference import EarlyExitEngine
from served_models import made_examples, made_model

model, examples = made_model(), made_examples(12)
plain, compiled = (EarlyExitEngine(model, "patience:1", check_every=3, compile=how) for how in (False, True))
pairs = list(zip(compiled.answer(examples, 5), plain.answer(examples, 5), strict=True))
pairs += [(compiled.one(one), plain.one(one)) for one in examples[:3]]
for found, wanted in pairs:
    same = (found.exit, found.prediction) == (wanted.exit, wanted.prediction)
    print(same, max(abs(a - b) for a, b in zip(found.logits, wanted.logits, strict=True)) < 1e-5)
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_segments_answer_alike():
    """In a process of its own: what torch's compiler imports depends on what others imported, and warns."""
    command, folder = [sys.executable, "-c", COMPILED], Path(__file__).parent
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 30


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what torch's compiler imports
def test_no_segment_is_left_uncompiled(monkeypatch: pytest.MonkeyPatch):
    """The compiler gives up on a function after a few variants, silently but for a log: segments must not share."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(torch._dynamo.config, "fail_on_recompile_limit_hit", True)
    examples, policy = made_examples(20), "max_probability:0.9"
    answers = EarlyExitEngine(made_model(), policy, compile=True).answer(examples, 5)
    assert given_by(answers) == given_by(EarlyExitEngine(made_model(), policy).answer(examples, 5))
