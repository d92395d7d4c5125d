"""Exits over a mix of all layers below: engine, re-batching and plain model answer as the model itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from served_models import made_model, recorded, shared_examples, shared_model

from greenexp.backbones.base import TokenBatch
from greenexp.inference import Answer, EarlyExitEngine, Rebatcher
from greenexp.inference.bench import Contestants, EngineSettings
from greenexp.inference.bench.contestants import NO_EXITS
from greenexp.inference.bench.plain import PlainModel
from greenexp.model import MultiExitModel, load_model, save_model
from greenexp.replay import exits_taken

POLICY, PLACED = "max_probability:0.83", [2, 3, 5, 6]


@cache
def mixing(pooling: str = "pooler", placed: bool = False) -> MultiExitModel:
    """Six layers, exits after all or after some; the mixes differ from layer to layer."""
    model = made_model(layers=PLACED if placed else "all", head="scalar_mix", pooling=pooling)
    with torch.no_grad():
        for head in model.heads:
            head.mix.mul_(torch.linspace(1.5, 0.5, len(head.mix)))
    return model


def said_by_the_model(model: MultiExitModel, answer: Answer, ids: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(TokenBatch(torch.tensor([list(ids)])), (answer.exit,))[0, 0]


def agrees(model: MultiExitModel, answers: list[Answer], tolerance: float = 1e-5) -> bool:
    pairs = zip(answers, shared_examples(), strict=True)
    differences = [
        (torch.tensor(answer.logits) - said_by_the_model(model, answer, one.ids)).abs().max() for answer, one in pairs
    ]
    return max(map(float, differences)) <= tolerance


@pytest.mark.parametrize("pooling", ["pooler", "mean", "cls"])
@pytest.mark.parametrize("placed", [False, True], ids=["all", "some"])
def test_one_by_one_and_together(pooling: str, placed: bool):
    model, examples = mixing(pooling, placed), shared_examples()
    engine = EarlyExitEngine(model, POLICY)
    alone = [engine.one(tokens) for tokens in examples]
    assert [answer.exit for answer in alone] == exits_taken(recorded(model, examples), POLICY).tolist()
    assert len({answer.exit for answer in alone}) > 2
    assert agrees(model, alone, tolerance=0)
    for answers in (engine.batch(examples), engine.answer(examples, 7)):
        assert [answer.exit for answer in answers] == [answer.exit for answer in alone]
        assert agrees(model, answers)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 47), min_size=1, max_size=20))
def test_whoever_else_is_in_the_batch(places: list[int]):
    engine = EarlyExitEngine(mixing("mean"), "patience:1")
    examples = [shared_examples()[place] for place in places]
    for answer, tokens in zip(engine.batch(examples), examples, strict=True):
        wanted = engine.one(tokens)
        assert (answer.exit, answer.prediction) == (wanted.exit, wanted.prediction)
        assert np.abs(np.subtract(answer.logits, wanted.logits)).max() < 1e-5


@pytest.mark.parametrize("options", [{"check_every": 2}, {"exits": (3, 6)}, {"exits": (4,)}], ids=str)
def test_layers_between_the_asked_exits_are_pooled_too(options: dict[str, Any]):
    model = mixing()
    assert agrees(model, EarlyExitEngine(model, POLICY, **options).answer(shared_examples(), 5))


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("policy", [POLICY, "patience:1"])
def test_rebatched(pooling: str, batch_size: int, policy: str):
    model = mixing(pooling, placed=True)
    engine = EarlyExitEngine(model, policy)
    with Rebatcher(engine, batch_size, 0.001) as rebatcher, ThreadPoolExecutor(8) as threads:
        futures = list(threads.map(rebatcher.submit, shared_examples()))
        answers = [future.result(60) for future in futures]
    assert [answer.exit for answer in answers] == [engine.one(tokens).exit for tokens in shared_examples()]
    assert agrees(model, answers)


def test_in_bf16_it_is_what_autocast_computes():
    model = mixing()
    engine = EarlyExitEngine(model, "static", precision="bf16")
    for tokens in shared_examples()[:6]:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            wanted = model(TokenBatch(torch.tensor([list(tokens.ids)])), (6,))[0, 0]
        assert engine.one(tokens).logits == tuple(wanted.tolist())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what torch's compiler imports
def test_compiled_segments_hand_them_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    examples = shared_examples()[:6]
    engines = [EarlyExitEngine(mixing(), POLICY, check_every=3, compile=how) for how in (False, True)]
    plain, compiled = ([(one.exit, one.prediction) for one in engine.answer(examples, 3)] for engine in engines)
    assert plain == compiled


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_plain_model_says_the_same(pooling: str, batch_size: int):
    model = mixing(pooling)
    found = Contestants.of(model, POLICY, EngineSettings())
    wanted = [one.prediction for one in found.engines[NO_EXITS].answer(shared_examples(), 1)]
    groups = [shared_examples()[start : start + batch_size] for start in range(0, 48, batch_size)]
    with torch.inference_mode():
        for plain in found.plain.values():
            assert [one for group in groups for one in plain.answer(group)] == wanted
    assert len(set(wanted)) > 1


def test_the_plain_model_in_bf16():
    model = mixing()
    plain = PlainModel(model, 6, attention="sdpa", precision="bf16", pad_id=0, compiled=False)
    exact = [one.prediction for one in EarlyExitEngine(model, "static").answer(shared_examples(), 1)]
    with torch.inference_mode():
        same = np.mean([plain.answer([one])[0] == wanted for one, wanted in zip(shared_examples(), exact, strict=True)])
    assert same > 0.8


def test_flops_of_an_answer_count_every_layer_pooled():
    model = mixing(placed=True)
    costs = model.exit_costs([len(one.ids) for one in shared_examples()])
    columns = costs.columns([len(one.ids) for one in shared_examples()])
    for column, answer in zip(columns, EarlyExitEngine(model, POLICY).batch(shared_examples()), strict=True):
        assert answer.inference_flops == costs.dynamic_flops[answer.exit - 1, column]
    assert costs.dynamic_flops[0, 0] == costs.static_flops[0, 0]


@pytest.mark.parametrize(("head", "calls"), [("linear", 2), ("scalar_mix", 5)])
def test_only_what_is_read_is_pooled(head: str, calls: int):
    model, seen = made_model(layers=PLACED, head=head), []
    pool = model.backbone.pool
    model.backbone.pool = lambda state: (seen.append(1), pool(state))[1]  # type: ignore[method-assign]
    EarlyExitEngine(model, "max_probability:2", exits=(1, 3)).batch(shared_examples()[:3])
    assert len(seen) == calls


def test_a_saved_model_keeps_its_mixes(tmp_path: Path):
    model = mixing("mean", placed=True)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    tokens = TokenBatch(torch.tensor([list(shared_examples()[1].ids)]))
    with torch.inference_mode():
        assert torch.equal(model(tokens), loaded(tokens))


def test_nothing_travels_for_other_heads():
    segments = EarlyExitEngine(shared_model(), "static").segments
    engine = EarlyExitEngine(shared_model(), "static")
    with segments.computing():
        climbers, _ = segments.run(0, segments.embed([engine.checked(shared_examples()[0])], 0))
    assert climbers.earlier == ()
