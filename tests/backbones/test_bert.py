"""BERT in pieces against the library's own forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, BertModel

from greenexp.backbones.base import TokenBatch
from greenexp.backbones.bert import Bert, BertBackbone
from greenexp.errors import CheckpointError, InputError

SMALL = {"layers": 3, "hidden": 16, "heads": 2, "intermediate": 24, "max_positions": 20}


def small(**fields: object) -> BertBackbone:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        return Bert(**{**SMALL, **fields}).build(50, 0).eval()


def batch(padded: bool, examples: int = 3, length: int = 7) -> TokenBatch:
    ids = torch.from_numpy(np.random.default_rng(0).integers(4, 50, (examples, length)))
    if not padded:
        return TokenBatch(ids)
    mask = torch.ones_like(ids)
    for row in range(1, examples):
        mask[row, -row:] = 0
    return TokenBatch(ids * mask, mask, torch.arange(length).ge(3).long().expand(examples, -1))


def states(backbone: BertBackbone, tokens: TokenBatch) -> list[torch.Tensor]:
    state = backbone.embed(tokens)
    hidden = [state.hidden]
    for index in range(backbone.num_layers):
        state = backbone.layer(index, state)
        hidden.append(state.hidden)
    return [*hidden, backbone.pool(state)]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("examples", [1, 3])
def test_hidden_states_equal_the_library(attention: str, padded: bool, examples: int):
    backbone, tokens = small(attention=attention), batch(padded, examples)
    with torch.inference_mode():
        ours = states(backbone, tokens)
        theirs = backbone.model(
            input_ids=tokens.input_ids,
            attention_mask=tokens.attention_mask,
            token_type_ids=tokens.token_type_ids,
            output_hidden_states=True,
        )
    # The trap: with SDPA and no mask a lost batch dimension raises nothing, so the shapes are checked by themselves.
    assert all(hidden.shape == (examples, 7, 16) for hidden in ours[:-1])
    expected = [*theirs.hidden_states, theirs.pooler_output]
    assert len(ours) == len(expected)
    for one, other in zip(ours, expected, strict=True):
        assert (one - other).abs().max() <= 1e-6


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
def test_padding_changes_nothing(pooling: str):
    backbone, tokens = small(pooling=pooling), batch(padded=True)
    with torch.inference_mode():
        together = states(backbone, tokens)[-1]
        for row, length in enumerate([7, 6, 5]):
            alone = TokenBatch(tokens.input_ids[[row], :length], None, tokens.token_type_ids[[row], :length])
            assert (states(backbone, alone)[-1] - together[[row]]).abs().max() <= 1e-6


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_examples_of_different_batches_go_on_together(attention: str):
    backbone = small(attention=attention, pooling="mean")
    alone = [TokenBatch(torch.arange(4, 4 + length)[None]) for length in (7, 3)]
    with torch.inference_mode():
        first = [backbone.layer(0, backbone.embed(tokens)).hidden for tokens in alone]
        padded = torch.cat([first[0], torch.cat([first[1], torch.full((1, 4, 16), 9.0)], dim=1)])
        together = backbone.regroup(padded, (torch.arange(7) < torch.tensor([[7], [3]])).long())
        wanted = torch.cat([states(backbone, tokens)[-1] for tokens in alone])
        found = backbone.pool(backbone.layer(2, backbone.layer(1, together)))
        assert (found - wanted).abs().max() <= 1e-6
        assert backbone.regroup(first[0], None).mask is None
        assert backbone.regroup(first[0], torch.ones(1, 7, dtype=torch.int64)).padding is None


def test_pooling_by_definition():
    tokens = batch(padded=True)
    backbone = small(pooling="mean")
    state = backbone.embed(tokens)
    assert torch.allclose(backbone.pool(state)[2], state.hidden[2, :5].mean(dim=0), atol=1e-6)
    assert torch.equal(small(pooling="cls").pool(state), state.hidden[:, 0])
    assert backbone.model.pooler is None
    assert list(backbone.pooler_parameters()) == []


def test_a_mask_that_masks_nothing_is_no_mask():
    tokens = batch(padded=False)
    state = small().embed(TokenBatch(tokens.input_ids, torch.ones_like(tokens.input_ids)))
    assert state.mask is None
    assert state.padding is None


def test_sequences_beyond_the_positions_are_refused():
    with pytest.raises(InputError, match=r"21 tokens.*20 positions"):
        small().embed(batch(padded=False, length=21))


def test_parts_cover_every_parameter_once():
    backbone = small()
    parts = [
        *backbone.embedding_parameters(),
        *backbone.layer_parameters(),
        *backbone.pooler_parameters(),
    ]
    assert sorted(map(id, parts)) == sorted(map(id, backbone.parameters()))


@pytest.mark.parametrize(("examples", "length"), [(1, 5), (4, 9)])
def test_costs_block_by_block_equal_the_counter(examples: int, length: int):
    backbone = small(attention="eager")
    costs = backbone.matmuls(examples, length)

    def counted(call) -> int:
        with FlopCounterMode(display=False) as counter:
            call()
        return counter.get_total_flops()

    with torch.inference_mode():
        tokens = batch(padded=False, examples=examples, length=length)
        assert counted(lambda: backbone.embed(tokens)) == sum(one.flops for one in costs.embeddings) == 0
        state = backbone.embed(tokens)
        for index, layer in enumerate(costs.layers):
            assert counted(lambda i=index: backbone.layer(i, state)) == sum(one.flops for one in layer) > 0
        assert counted(lambda: backbone.pool(state)) == sum(one.flops for one in costs.pooler) > 0
    for pooling in ("cls", "mean"):
        assert small(pooling=pooling).matmuls(examples, length).pooler == ()


def test_meta_device_draws_nothing():
    before = torch.random.get_rng_state()
    backbone = Bert(**SMALL).build(50, 0, "meta")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert {parameter.device.type for parameter in backbone.parameters()} == {"meta"}
    assert backbone.matmuls(2, 8) == small().matmuls(2, 8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": 10, "heads": 4}, "multiple of heads"),
        ({"source": "somewhere", "hidden": 8, "max_positions": 9}, "hidden, max_positions.*somewhere"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        Bert(**fields)


@pytest.fixture
def source(tmp_path) -> str:
    small().model.save_pretrained(tmp_path / "full")
    return str(tmp_path / "full")


def test_source_gives_the_checkpoint(source: str):
    backbone = Bert(source=source).build(50, 0).eval()
    tokens = batch(padded=True)
    with torch.inference_mode():
        for one, other in zip(states(backbone, tokens), states(small(), tokens), strict=True):
            assert torch.equal(one, other)
    assert backbone.notes == ()
    assert backbone.model.config.hidden_dropout_prob == 0.1
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_source_cut_to_its_first_layers(source: str, device: str):
    backbone = Bert(source=source, layers=2, dropout=0.3).build(50, 0, device)
    assert backbone.num_layers == len(backbone.model.encoder.layer) == len(backbone.matmuls(1, 4).layers) == 2
    assert backbone.model.config.hidden_dropout_prob == backbone.model.config.attention_probs_dropout_prob == 0.3
    if device == "cpu":
        tokens = batch(padded=True)
        for one, other in zip(states(backbone.eval(), tokens)[:3], states(small(), tokens)[:3], strict=True):
            assert torch.equal(one, other)


def test_source_without_a_pooler_gets_one_and_says_so(tmp_path):
    small(pooling="cls").model.save_pretrained(tmp_path)
    backbone = Bert(source=str(tmp_path)).build(50, 0)
    assert len(backbone.notes) == 1
    assert "no pooler" in backbone.notes[0]
    weight = backbone.model.pooler.dense.weight
    assert weight.isfinite().all()
    assert 0.01 < weight.std() < 0.03
    assert Bert(source=str(tmp_path), pooling="cls").build(50, 0).notes == ()


def test_bad_sources_are_refused(source: str, tmp_path):
    with pytest.raises(InputError, match=r"60 token ids.*50"):
        Bert(source=source).build(60, 0)
    with pytest.raises(InputError, match="has 3 layers, not 4"):
        Bert(source=source, layers=4).build(50, 0)
    with pytest.raises(InputError, match="nowhere"):
        Bert(source=str(tmp_path / "nowhere")).build(50, 0)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(InputError, match="'roberta', not 'bert'"):
        Bert(source=str(tmp_path / "other")).build(50, 0)
    with pytest.raises(InputError, match="no tokenizer"):
        Bert(source=str(tmp_path / "nowhere")).tokenizer()


def test_source_that_lacks_weights_is_refused(source: str, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(f"{source}/model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, f"{source}/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks weights: encoder\.layer\.1"):
        Bert(source=source).build(50, 0)


def test_save_is_read_by_the_library_and_by_load(tmp_path):
    backbone, tokens = small(), batch(padded=True)
    backbone.save(tmp_path)
    theirs = AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(theirs, BertModel)
    ours = Bert(**SMALL).load(tmp_path).eval()
    with torch.inference_mode():
        expected = states(backbone, tokens)
        assert torch.equal(states(ours, tokens)[-1], expected[-1])
        output = theirs(tokens.input_ids, tokens.attention_mask, tokens.token_type_ids)
        assert (output.pooler_output - expected[-1]).abs().max() <= 1e-6


def test_load_refuses_what_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        Bert(**SMALL).load(tmp_path)


def test_random_backbone_has_no_tokenizer():
    assert Bert(**SMALL).tokenizer() is None
