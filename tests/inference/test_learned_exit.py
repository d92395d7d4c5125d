"""The policy `learned` on a model with a learning-to-exit module: engine, re-batching and service decide as replay."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running_service import running
from served_models import made_examples, made_model, recorded, shared_examples, shared_model
from tiny_served_models import save_tiny, texts
from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitDecision, ExitOutput, PolicyStream, Stateless, own_answers
from greenexp.inference import Answer, EarlyExitEngine, Rebatcher
from greenexp.inference.bench.contestants import ENGINE, EVERY_EXIT, NO_EXITS, Contestants, EngineSettings
from greenexp.inference.service.limits import Limits
from greenexp.model import load_model, save_model
from greenexp.replay import ExitRecord, exits_taken
from greenexp.replay.naming import resolve

POLICIES = [
    "learned:0.35",
    "learned:0.35,comparator=<=",
    {"name": "learned", "threshold": {1: 0.2, 3: 0.5, 5: 0.6}},
    "max_probability:0.83",
    "patience:1",
]


def said_by(record: ExitRecord, policy: Any) -> tuple[list[int], list[float]]:
    exits = exits_taken(record, policy)
    _, family = resolve(policy, record)
    says = np.asarray(family.answers(record))
    return exits.tolist(), says[np.searchsorted(record.numbers, exits), np.arange(len(exits))].tolist()


def agrees(answers: list[Answer], wanted: tuple[list[int], list[float]]) -> bool:
    predictions = [answer.prediction for answer in answers]
    return [answer.exit for answer in answers] == wanted[0] and predictions == pytest.approx(wanted[1], abs=1e-5)


@pytest.fixture(scope="module", params=[3, 1], ids=["classes", "regression"])
def record(request: pytest.FixtureRequest) -> ExitRecord:
    found = recorded(shared_model(request.param, learned=True), shared_examples())
    assert found.learned is not None
    for threshold in (0.35, 0.2, 0.5, 0.6):  # rounding decides nothing
        assert np.abs(found.learned - threshold).min() > 1e-5
    return found


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_engine_decides_as_replay(policy: Any, record: ExitRecord):
    model, examples = shared_model(record.logits.shape[2], learned=True), shared_examples()
    if record.is_regression and "learned" not in str(policy):
        policy = "patience:1,tolerance=0.8"
    engine, wanted = EarlyExitEngine(model, policy), said_by(record, policy)
    assert len(set(wanted[0])) > 2
    assert agrees([engine.one(tokens) for tokens in examples], wanted)
    assert agrees(engine.batch(examples), wanted)
    assert agrees(engine.answer(examples, 7), wanted)
    costs = model.exit_costs(record.lengths)
    columns = costs.columns(record.lengths)
    assert [one.inference_flops for one in engine.batch(examples)] == [
        costs.dynamic_flops[number - 1, column] for number, column in zip(wanted[0], columns, strict=True)
    ]


def test_a_part_of_the_exits(record: ExitRecord):
    model = shared_model(record.logits.shape[2], learned=True)
    engine = EarlyExitEngine(model, "learned:0.35", check_every=2)
    assert agrees(engine.answer(shared_examples(), 5), said_by(record.only((2, 4, 6)), "learned:0.35"))
    with_gap = EarlyExitEngine(model, "learned:0.35", exits=(1, 4, 5))
    assert agrees(with_gap.answer(shared_examples(), 5), said_by(record.only((1, 4, 5)), "learned:0.35"))


def test_temperatures_leave_the_module_alone():
    model = shared_model(learned=True)
    plain, calibrated = (EarlyExitEngine(model, "learned:0.35", temperatures=t) for t in ({}, {1: 3.0, 2: 0.3}))
    for one, other in zip(plain.batch(shared_examples()), calibrated.batch(shared_examples()), strict=True):
        assert (one.exit, one.prediction) == (other.exit, other.prediction)


@dataclass(frozen=True)
class Falling:
    """Leaves where the module is less worried than at the exit before: a policy that remembers what it was told."""

    def stream(self) -> PolicyStream:
        return FallingStream()


class FallingStream:
    before: Tensor | None = None

    def decide(self, output: ExitOutput) -> ExitDecision:
        assert output.learned is not None
        leaves = torch.zeros_like(output.learned, dtype=torch.bool)
        if self.before is not None:
            leaves = output.learned < self.before
        self.before = output.learned
        return ExitDecision(leaves, own_answers(output.logits))

    def keep(self, rows: Tensor) -> None:
        assert self.before is not None
        self.before = self.before[rows]


@pytest.mark.parametrize("policy", ["learned:0.35", "patience:1", Falling()], ids=str)
def test_rebatching_answers_as_the_engine(policy: Any):
    engine, examples = EarlyExitEngine(shared_model(learned=True), policy), shared_examples()
    alone = [engine.one(tokens) for tokens in examples]
    assert len({answer.exit for answer in alone}) > 2
    with Rebatcher(engine, 8, 0.001) as rebatcher, ThreadPoolExecutor(8) as threads:
        answers = [future.result(60) for future in list(threads.map(rebatcher.submit, examples))]
    assert [(one.exit, one.prediction) for one in answers] == [(one.exit, one.prediction) for one in alone]


def test_bf16_is_what_autocast_computes():
    model, examples = shared_model(learned=True), made_examples(6, seed=4)
    engine = EarlyExitEngine(model, "learned:0.35", precision="bf16")
    for tokens in examples:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            said = model.outputs(engine.segments.batch_of([engine.checked(tokens)], 0))
        learned = [float(value) for value in said.learned or ()]
        leaves = [number for number, value in enumerate(learned, start=1) if value < np.float32(0.35)]
        assert engine.one(tokens).exit == min([*leaves, 6])


@pytest.mark.filterwarnings("ignore")  # of what torch's compiler imports
def test_compiled_segments_hand_it_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    model, examples = made_model(learned=True), made_examples(6)
    engines = [EarlyExitEngine(model, "learned:0.35", check_every=3, compile=how) for how in (False, True)]
    plain, compiled = ([(one.exit, one.prediction) for one in engine.answer(examples, 3)] for engine in engines)
    assert plain == compiled


def test_the_benchmark_times_it():
    """Asked at every exit, made to leave elsewhere, or not asked: the same engine, so the same answers at each exit."""
    model, examples = shared_model(learned=True), shared_examples()[:12]
    contestants = Contestants.of(model, "learned:0.35", EngineSettings())
    found = {name: [answer.exit for answer in engine.batch(examples)] for name, engine in contestants.engines.items()}
    assert found[ENGINE] == [answer.exit for answer in EarlyExitEngine(model, "learned:0.35").batch(examples)]
    assert len(set(found[ENGINE])) > 1
    assert set(found[NO_EXITS]) == set(found[EVERY_EXIT]) == {6}


def test_a_model_without_the_module_refuses():
    with pytest.raises(InputError, match="has none"):
        EarlyExitEngine(shared_model(), "learned")
    EarlyExitEngine(shared_model(learned=True), "learned")


def test_a_model_without_the_module_does_nothing_for_it(monkeypatch: pytest.MonkeyPatch):
    """The shared pooling runs as often as heads read it, and the policy is told of no module."""
    model, calls, told = made_model(), [], []
    pool = model.backbone.pool

    def counted(state: Any) -> Tensor:
        calls.append(state)
        return pool(state)

    class Asked(Stateless):
        def stream(self) -> PolicyStream:
            return self

        def decide(self, output: ExitOutput) -> ExitDecision:
            told.append(output.learned)
            return ExitDecision(torch.zeros(len(output.logits), dtype=torch.bool), own_answers(output.logits))

    monkeypatch.setattr(model.backbone, "pool", counted)
    engine = EarlyExitEngine(model, Asked())
    told.clear()
    engine.batch(shared_examples()[:3])
    assert (len(calls), told) == (6, [None] * 6)


def batch_of(model: Any) -> Any:
    engine = EarlyExitEngine(model, "static")
    return engine.segments.batch_of([engine.checked(shared_examples()[0])], 0)


def test_a_saved_model_has_its_module(tmp_path: Path):
    model = shared_model(learned=True)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    tokens = batch_of(model)
    with torch.inference_mode():
        first, second = model.outputs(tokens), loaded.outputs(tokens)
    assert all(map(torch.equal, first.learned or (), second.learned or ()))
    assert len(second.learned or ()) == 6
    assert all(map(torch.equal, first.logits, second.logits))
    again = EarlyExitEngine.load(tmp_path, "learned:0.35").batch(shared_examples())
    assert again == EarlyExitEngine(model, "learned:0.35").batch(shared_examples())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    engine = EarlyExitEngine.load(save_tiny(tmp_path_factory.mktemp("model"), learned=True), "learned:0.4")
    limits = Limits(max_body_bytes=20_000, max_text=100, max_inputs=80, max_queue=80, timeout_s=30, shutdown_s=5)
    with Rebatcher(engine, 8, 0.001) as queue, running(engine, queue, limits) as asked:
        yield engine, asked


def test_the_service_answers_as_the_engine(service: Any):
    engine, asked = service
    given = texts(60)
    status, found, _ = asked.ask(body={"inputs": given})
    assert status == 200
    wanted = [engine.one(tokens).exit for tokens in engine.encode(given)]
    assert [answer["exit"] for answer in found["answers"]] == wanted
    assert len(set(wanted)) > 1
