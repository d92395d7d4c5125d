"""The engine over every family of encoders: alone, in a batch and across batches it answers as the model does."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from encoder_families import FAMILIES
from served_models import made_examples, made_model, recorded

from greenexp.backbones.base import TokenBatch
from greenexp.inference import EarlyExitEngine, Tokens
from greenexp.inference.bench.plain import PlainModel
from greenexp.model import MultiExitModel
from greenexp.replay import exits_taken

EXAMPLES = (*made_examples(16, seed=3), *(Tokens([7] * length) for length in (1, 2, 24, 24)))


@cache
def family_model(name: str, attention: str = "sdpa") -> MultiExitModel:
    return made_model(name=name, attention=attention, pooling="mean", **FAMILIES[name])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_engine_answers_as_the_model(name: str, attention: str):
    model = family_model(name, attention)
    record = recorded(model, EXAMPLES)
    for policy in ("static", "patience:1"):
        engine, wanted = EarlyExitEngine(model, policy), exits_taken(record, policy)
        assert policy == "static" or len(set(wanted.tolist())) > 1
        alone = [engine.one(tokens) for tokens in EXAMPLES]
        for answers in (alone, engine.batch(EXAMPLES), engine.answer(EXAMPLES, 6)):
            assert [answer.exit for answer in answers] == wanted.tolist()
            found = np.array([answer.logits for answer in answers])
            logits = record.logits[wanted - 1, np.arange(len(EXAMPLES))]
            rounding = 0 if answers is alone else 1e-5 * max(1, np.abs(logits).max())
            assert np.abs(found - logits).max() <= rounding
            assert [a.inference_flops for a in answers] == [a.inference_flops for a in alone]


@pytest.mark.parametrize("name", FAMILIES)
def test_in_bf16_too(name: str):
    model = family_model(name)
    engine = EarlyExitEngine(model, "static", precision="bf16")
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for tokens in EXAMPLES:
            wanted = model.each_exit(TokenBatch(torch.tensor([tokens.ids])), (6,))[0]
            assert engine.one(tokens).logits == tuple(wanted[0].tolist())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("pooling", ["pooler", "mean"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_plain_model_it_is_compared_with(name: str, pooling: str, precision: str):
    """Cut after the second exit; in bf16 it must run, and on most examples say the same."""
    model = made_model(name=name, pooling=pooling, **FAMILIES[name])
    plain = PlainModel(model, 2, attention="sdpa", precision=precision, pad_id=0, compiled=False)
    typed = [Tokens(tokens.ids, [0] * (len(tokens.ids) // 2) + [1] * -(-len(tokens.ids) // 2)) for tokens in EXAMPLES]
    wanted = [answer.prediction for answer in EarlyExitEngine(model, "static:2").batch(typed)]
    with torch.inference_mode():
        found = plain.answer(typed)
    same = sum(one == other for one, other in zip(found, wanted, strict=True))
    assert same == len(EXAMPLES) if precision == "fp32" else same > 0.7 * len(EXAMPLES)
