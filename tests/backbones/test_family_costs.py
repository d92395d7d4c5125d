"""Analytic FLOPs of every family against torch's counter over eager attention, forward and in training."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from encoder_families import VARIANTS, batch, section, small
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.mobilebert import MobileBertBackbone
from greenexp.meters.flops import training_flops
from greenexp.model import MultiExitModel, build_model
from greenexp.records.costs import ALL_PARTS, MatmulCost, Part, Pass
from greenexp.records.settings import ModelSettings

PARTS = (
    ALL_PARTS,
    ALL_PARTS - {Part.EMBEDDINGS},
    frozenset({Part.EMBEDDINGS}),
    frozenset({Part.LAYERS}),
    frozenset({Part.HEADS}),
)
PROJECTING = ("albert", "albert, two groups", "electra", "mobilebert", "mobilebert, plain pooler, one network")


def counted(call) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def listed(block: tuple[MatmulCost, ...]) -> int:
    return sum(product.flops for product in block)


@pytest.mark.parametrize("variant", VARIANTS)
def test_costs_block_by_block_equal_the_counter(variant: str):
    backbone = small(variant, attention="eager", pooling="pooler")
    for examples, length in ((1, 5), (4, 9)):
        costs, tokens = backbone.matmuls(examples, length), batch(padded=True, examples=examples, length=length)
        with torch.inference_mode():
            assert counted(lambda tokens=tokens: backbone.embed(tokens)) == listed(costs.embeddings)
            state = backbone.embed(tokens)
            assert len(costs.layers) == backbone.num_layers
            for index, layer in enumerate(costs.layers):
                assert counted(lambda i=index, state=state: backbone.layer(i, state)) == listed(layer) > 0
            assert counted(lambda state=state: backbone.pool(state)) == listed(costs.pooler)
        assert (listed(costs.embeddings) > 0) == (variant in PROJECTING)
        assert (listed(costs.pooler) > 0) == (variant != "mobilebert, plain pooler, one network")
    for pooling in ("cls", "mean"):
        assert small(variant, pooling=pooling).matmuls(1, 5).pooler == ()


def training_pass(model: MultiExitModel, one: Pass) -> int:
    """What the counter sees when the pass is really made."""
    model.train_only(one.parts)
    tokens = batch(padded=True, examples=3, length=6)

    def step() -> None:
        logits = model.each_exit(tokens, one.exits)
        loss = sum(functional.cross_entropy(each, torch.zeros(3, dtype=torch.long)) for each in logits)
        loss.backward()

    return counted(step)


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: "+".join(sorted(parts)))
@pytest.mark.parametrize("variant", VARIANTS)
def test_training_passes_equal_the_counter(variant: str, parts: frozenset[Part]):
    settings = {
        "backbone": section(variant, attention="eager", pooling="pooler"),
        "exits": {"layers": "all", "head": {"name": "linear"}},
    }
    model = build_model(ModelSettings.from_json(settings), 3, vocab_size=50, pad_id=0, seed=0).train()
    for exits in ((1, 3), (1,)):
        one = Pass(exits, (exits,), parts)
        assert training_flops(model.costs(3, 6), [one]) == training_pass(model, one)


@pytest.mark.parametrize(
    "settings",
    [
        {"use_bottleneck": False, "num_attention_heads": 2},
        {"use_bottleneck_attention": True},
        {"use_bottleneck_attention": True, "key_query_shared_bottleneck": False},
        {"trigram_input": False},
        {"trigram_input": False, "embedding_size": 16},
        {"normalization_type": "layer_norm"},
    ],
    ids=str,
)
def test_mobilebert_of_other_settings(settings: dict[str, object]):
    """What its checkpoints' configs may say: forward and backward, everything trained or the layers alone."""
    from transformers import MobileBertConfig, MobileBertModel

    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    own = {"intermediate_size": 24, "embedding_size": 6, "intra_bottleneck_size": 8, "num_feedforward_networks": 2}
    config = MobileBertConfig(**{**sizes, **own, **settings}, attn_implementation="eager")
    backbone = MobileBertBackbone(MobileBertModel(config).train(), "mean")
    tokens = dataclasses.replace(batch(padded=True), token_type_ids=None)

    def run() -> None:
        state = backbone.embed(tokens)
        for index in range(2):
            state = backbone.layer(index, state)
        backbone.pool(state).sum().backward()

    costs = backbone.matmuls(3, 7)
    blocks = [costs.embeddings, *costs.layers]
    assert counted(run) == 3 * sum(map(listed, blocks))
    for parameter in backbone.embedding_parameters():
        parameter.requires_grad_(False)
    first, second = costs.layers
    lower = sum(one.flops * (1 + (one.weight + one.inner if one.weight else 2 * one.inner)) for one in first)
    assert counted(run) == listed(costs.embeddings) + lower + 3 * listed(second)
