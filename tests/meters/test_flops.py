"""Analytic FLOPs against torch's counter (eager attention) and against published numbers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.meters.flops import forward_flops, training_flops
from greenexp.model import MultiExitModel, build_model
from greenexp.records.costs import ALL_PARTS, EncoderCosts, MatmulCost, ModelCosts, Part, Pass
from greenexp.records.settings import ModelSettings

BASE = {"name": "bert", "layers": 12, "hidden": 768, "heads": 12}


def tiny(layers: object = "all", **backbone: object) -> MultiExitModel:
    sizes = {"layers": 3, "hidden": 12, "heads": 2, "intermediate": 20, "max_positions": 16, "attention": "eager"}
    section = {"name": "bert", **sizes, **backbone}
    settings = {"backbone": section, "exits": {"layers": layers, "head": {"name": "linear"}}}
    return build_model(ModelSettings.from_json(settings), 3, vocab_size=30, pad_id=0, seed=0).train()


def bert_base(layers: object = (12,), num_layers: int = 12, num_labels: int = 2) -> MultiExitModel:
    settings = {
        "backbone": {**BASE, "layers": num_layers},
        "exits": {"layers": layers, "head": {"name": "linear"}},
    }
    return build_model(ModelSettings.from_json(settings), num_labels, vocab_size=30522, pad_id=0, seed=0, device="meta")


def tokens(examples: int, length: int) -> TokenBatch:
    ids = torch.from_numpy(np.random.default_rng(0).integers(4, 30, (examples, length)))
    mask = torch.ones_like(ids)
    mask[-1, -1] = 0  # padding is computed all the same, so it is counted
    return TokenBatch(ids, mask)


def counted(model: MultiExitModel, one: Pass, batch: TokenBatch) -> int:
    """What the counter sees when the pass is really made."""
    model.train_only(one.parts)
    model.zero_grad()
    with FlopCounterMode(display=False) as counter:
        logits = model.each_exit(batch, one.exits)
        labels = torch.zeros(len(batch.input_ids), dtype=torch.long)
        for number, exits in enumerate(one.backward, start=1):
            rows = [one.exits.index(exit_number) for exit_number in exits]
            losses = [functional.cross_entropy(logits[row], labels) for row in rows]
            torch.stack(losses).sum().backward(retain_graph=number < len(one.backward))
    return counter.get_total_flops()


EXITS = ((1,), (3,), (1, 3), (1, 2, 3))
PARTS = (
    ALL_PARTS,
    ALL_PARTS - {Part.EMBEDDINGS},
    frozenset({Part.HEADS}),
    frozenset({Part.POOLER, Part.HEADS}),
    frozenset({Part.EMBEDDINGS}),
    frozenset({Part.LAYERS}),
    frozenset({Part.POOLER}),
    frozenset({Part.EMBEDDINGS, Part.HEADS}),
)


POOLED_PARTS = [
    pytest.param(pooling, parts, id=f"{pooling}-{'+'.join(sorted(parts))}")
    for pooling in ("pooler", "mean")
    for parts in PARTS
    if pooling == "pooler" or parts != {Part.POOLER}  # mean pooling has no weights to train
]


@pytest.mark.parametrize(("pooling", "parts"), POOLED_PARTS)
@pytest.mark.parametrize("exits", EXITS, ids=str)
def test_one_pass_equals_the_counter(pooling: str, parts: frozenset[Part], exits: tuple[int, ...]):
    model, one = tiny(pooling=pooling), Pass(exits, (exits,), parts)
    for examples, length in ((1, 5), (4, 9)):
        assert training_flops(model.costs(examples, length), [one]) == counted(model, one, tokens(examples, length))


@pytest.mark.parametrize("backward", [(), ((2,),), ((3,), (1, 2)), ((1, 2, 3), (3,))], ids=str)
def test_passes_without_and_with_several_backwards(backward: tuple[tuple[int, ...], ...]):
    model, one = tiny(), Pass((1, 2, 3), backward)
    assert training_flops(model.costs(2, 7), [one]) == counted(model, one, tokens(2, 7))


def test_exits_at_chosen_layers():
    model, one = tiny(layers=(2, 3)), Pass((1, 2), ((1,),))
    assert training_flops(model.costs(2, 7), [one]) == counted(model, one, tokens(2, 7))


def test_frozen_is_taken_from_every_pass():
    costs = tiny().costs(2, 7)
    two = [Pass((1,), ((1,),)), Pass((3,), ((3,),), frozenset({Part.EMBEDDINGS, Part.HEADS}))]
    without = [Pass(one.exits, one.backward, one.parts - {Part.EMBEDDINGS}) for one in two]
    assert training_flops(costs, two, frozen={Part.EMBEDDINGS}) == training_flops(costs, without)
    assert training_flops(costs, two) == sum(training_flops(costs, [one]) for one in two)


@given(st.integers(1, 40), st.integers(1, 60), st.sets(st.integers(1, 3), min_size=1))
def test_bounds_and_linearity(examples: int, length: int, chosen: set[int]):
    model, exits = tiny_meta(), tuple(sorted(chosen))
    costs = model.costs(examples, length)
    forward = forward_flops(costs, exits)
    assert forward == examples * forward_flops(model.costs(1, length), exits)
    trained = training_flops(costs, [Pass(exits, (exits,))])
    assert trained == 3 * forward  # everything trains and the embeddings lie below all: each operand once more
    assert forward <= training_flops(costs, [Pass(exits, (exits,))], frozen=ALL_PARTS) == forward
    assert forward < training_flops(costs, [Pass(exits, (exits,))], frozen={Part.EMBEDDINGS}) < trained


_META = []


def tiny_meta() -> MultiExitModel:
    if not _META:
        settings = {
            "backbone": {"name": "bert", "layers": 3, "hidden": 12, "heads": 2},
            "exits": {"layers": "all", "head": {"name": "linear"}},
        }
        _META.append(build_model(ModelSettings.from_json(settings), 2, 30, 0, 0, device="meta"))
    return _META[0]


@pytest.mark.parametrize(("length", "flops"), [(8, 1_362_496_512), (64, 11_023_813_632), (128, 22_348_434_432)])
def test_bert_base_with_a_classifier(length: int, flops: int):
    model = bert_base()
    assert model.exit_flops(length) == (flops,)
    assert model.inference_flops([length], 1).tolist() == [flops]
    model.eval()
    for module in model.modules():
        if hasattr(module, "config") and hasattr(module, "set_attn_implementation"):
            module.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(TokenBatch(torch.zeros((1, length), dtype=torch.long, device="meta")))
    assert counter.get_total_flops() == flops


def test_elue_counter(reference):
    """ELUE counts MACs: ours / 2, plus per layer 2 S^2 per head (scale, softmax) and two LayerNorms of 2SH, plus the
    embeddings' LayerNorm 2SH. For ElasticBERT the head's H x C is in, for BERT only the pooler."""
    width, heads, counts = 768, 12, reference("elue_macs")["counts"]
    assert len(counts) == 12
    for count in counts:
        layers, length = count["layers"], count["length"]
        costs = bert_base((layers,), layers).costs(1, length)
        if count["model"] == "bert-base":
            costs = ModelCosts(costs.encoder, costs.exit_layers, ((),), costs.pooled)
        macs = forward_flops(costs, (1,)) // 2
        extra = layers * (2 * heads * length**2 + 4 * length * width) + 2 * length * width
        assert macs + extra == count["macs"]


def test_a_head_that_reads_no_pooler_does_not_run_it():
    block = (MatmulCost(7),)
    costs = ModelCosts(EncoderCosts((), (block,), (MatmulCost(100),)), (1,), ((MatmulCost(10),),), (False,))
    assert forward_flops(costs, (1,)) == 17
    assert training_flops(costs, [Pass((1,), ((1,),), frozenset({Part.POOLER}))]) == 17
    assert forward_flops(costs, ()) == 0


def test_the_module_needs_no_torch():
    code = "import sys, greenexp.meters.flops; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
