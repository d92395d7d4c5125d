"""Contestants answer the same requests with the same weights: what each of them evaluates, and what it says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from served_models import made_examples, made_model, shared_examples, shared_model, shared_record
from torch import nn

from greenexp.errors import InputError
from greenexp.inference import Tokens
from greenexp.inference.bench import (
    Contestants,
    EngineSettings,
    Protocol,
    Stopwatch,
    contest,
    leaving_at,
    measure_latency,
    requests_of,
)
from greenexp.inference.bench.contestants import ENGINE, EVERY_EXIT, NO_EXITS
from greenexp.inference.bench.plain import PlainModel
from greenexp.replay import exits_taken

ONCE = Protocol(repeats=1, warm_ups=1, least_warm_ups=1)
WATCH = Stopwatch.of(torch.device("cpu"))


def said(contestant: Any, batch_size: int) -> list[Any]:
    return [one for request in requests_of(shared_examples(), batch_size) for one in contestant.answer(request)]


def test_each_engine_asks_what_its_name_says() -> None:
    found = Contestants.of(shared_model(), "max_probability:0.8", EngineSettings())
    consulted = {name: engine.consulted for name, engine in found.engines.items()}
    assert consulted == {ENGINE: (1, 2, 3, 4, 5, 6), NO_EXITS: (6,), EVERY_EXIT: (1, 2, 3, 4, 5, 6)}
    assert {one.exit for one in said(found.timed[1], 8)} == {6}
    assert {one.exit for one in said(found.timed[2], 8)} == {6}
    exits = [one.exit for one in said(found.timed[0], 1)]
    assert exits == exits_taken(shared_record(), "max_probability:0.8").tolist()
    assert len(set(exits)) > 2


def test_settings_reach_the_engines() -> None:
    settings = EngineSettings(check_every=4, temperatures={4: 2.0})
    found = Contestants.of(shared_model(), "max_probability:0.8", settings)
    assert found.engines[EVERY_EXIT].consulted == (4, 6)
    record = shared_record().calibrated({4: 2.0}).only([4, 6])
    assert [one.exit for one in said(found.timed[0], 1)] == exits_taken(record, "max_probability:0.8").tolist()


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_plain_model_says_what_the_engine_without_exits_says(pooling: str, batch_size: int) -> None:
    model = made_model(pooling=pooling)
    found = Contestants.of(model, "max_probability:0.8", EngineSettings())
    with torch.inference_mode():
        expected = [one.prediction for one in said(found.timed[1], batch_size)]
        assert set(found.plain) == {"sdpa", "eager"}
        for plain in found.plain.values():
            assert said(plain, batch_size) == expected
    assert len(set(expected)) > 1


def test_the_plain_model_reads_type_ids_and_predicts_numbers() -> None:
    model = made_model(classes=1)
    pairs = [Tokens(one.ids, [i % 2 for i in range(len(one.ids))]) for one in made_examples(12)]
    found = Contestants.of(model, "static:6", EngineSettings())
    with torch.inference_mode():
        plain = found.plain["sdpa"].answer(tuple(pairs))
        expected = [one.prediction for one in found.engines[NO_EXITS].batch(pairs)]
        without = found.plain["sdpa"].answer(tuple(Tokens(one.ids) for one in pairs))
    np.testing.assert_allclose(plain, expected, atol=1e-5)
    assert not np.allclose(plain, without, atol=1e-5)


def test_the_plain_model_shares_weights_and_changes_nothing() -> None:
    model = made_model(layers=[2, 4, 6])
    before = model.backbone.model.config._attn_implementation
    plain = PlainModel(model, 2, attention="eager", precision="fp32", pad_id=0, compiled=False)
    assert (model.backbone.model.config._attn_implementation, before) == ("sdpa", "sdpa")
    assert len(model.backbone.model.encoder.layer) == 6
    weights = {id(tensor) for tensor in model.parameters()}
    assert {id(tensor) for tensor in plain._encoder.parameters()} <= weights
    assert len(plain._encoder.encoder.layer) == 4  # what lies above exit 2 is not run
    with torch.inference_mode():
        expected = EngineSettings().engine(model, "static:2").answer(shared_examples(), 1)
        assert [plain.answer([one])[0] for one in shared_examples()] == [one.prediction for one in expected]


def test_bf16_leaves_the_model_as_it_was() -> None:
    model = made_model()
    found = Contestants.of(model, "max_probability:0.8", EngineSettings(precision="bf16"))
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}
    with torch.inference_mode():
        exact = [one.prediction for one in EngineSettings().engine(model, "static").answer(shared_examples(), 1)]
        same = np.mean(np.array(said(found.plain["sdpa"], 1)) == exact)
    assert same > 0.8


def test_a_backbone_without_a_library_model_is_refused() -> None:
    model = made_model()
    model.backbone.model = nn.Identity()
    with pytest.raises(InputError, match="BertBackbone"):
        PlainModel(model, 6, attention="sdpa", precision="fp32", pad_id=0, compiled=False)


def test_everybody_is_made_to_leave_where_a_latency_is_measured() -> None:
    found = leaving_at(shared_model(), "patience:2", EngineSettings(check_every=2))
    assert list(found) == [2, 4, 6]
    for number, contestant in found.items():
        assert {one.exit for one in said(contestant, 1)} == {number}
        assert {one.exit for one in said(contestant, 8)} == {number}
    whole = EngineSettings(check_every=2).engine(shared_model(), "patience:2").answer(shared_examples()[:1], 1)[0]
    forced = found[whole.exit].answer(shared_examples()[:1])[0]
    assert (forced.prediction, forced.inference_flops) == (whole.prediction, whole.inference_flops)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_contest_counts_what_replay_counts(batch_size: int) -> None:
    found = Contestants.of(shared_model(), "max_probability:0.8", EngineSettings())
    result = contest(found, shared_examples(), batch_size, ONCE, WATCH)
    exits = exits_taken(shared_record(), "max_probability:0.8")
    costs = shared_model().exit_costs(shared_record().lengths)
    columns = costs.columns(shared_record().lengths)
    assert result.saved.layers == pytest.approx(6 / exits.mean())
    assert result.saved.flops == pytest.approx(
        costs.static_flops[-1, columns].sum() / costs.dynamic_flops[exits - 1, columns].sum()
    )
    assert result.exit_shares == pytest.approx({n: (exits == n).mean() for n in np.unique(exits).tolist()})
    assert sum(result.exit_shares.values()) == pytest.approx(1)
    assert result.plain_agrees == 1.0
    assert (result.batch_size, result.requests) == (batch_size, 48 // batch_size)
    assert [row.contestant for row in result.speeds] == [ENGINE, NO_EXITS, EVERY_EXIT, "plain transformers"]
    assert all(np.isfinite(value) and value > 0 for row in result.speeds for value in dataclasses.astuple(row)[1:])
    assert result.plain_setting in result.plain_tried


def test_a_contest_without_examples_is_refused() -> None:
    found = Contestants.of(shared_model(), "max_probability:0.8", EngineSettings())
    with pytest.raises(InputError, match="no examples"):
        contest(found, [], 1, ONCE, WATCH)


def test_a_latency_table_is_measured() -> None:
    leavers = leaving_at(shared_model(), "max_probability", EngineSettings())
    table = measure_latency(leavers, shared_examples(), ONCE, WATCH, device="a CPU", threads=1, precision="fp32")
    lengths = {len(one.ids) for one in shared_examples()}
    assert table.exits.tolist() == [1, 2, 3, 4, 5, 6]
    assert (table.lengths[0], table.lengths[-1]) == (min(lengths), max(lengths))
    assert table.seconds.shape == (6, len(table.lengths))
