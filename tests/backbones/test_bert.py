"""BERT's fields and checkpoints; what holds for every family is in test_families and test_family_costs."""

from __future__ import annotations

import pytest
import torch
from encoder_families import batch, states
from transformers import AutoModel, BertModel

from greenexp.backbones.base import TokenBatch
from greenexp.backbones.bert import Bert, BertBackbone
from greenexp.errors import CheckpointError, InputError

SMALL = {"layers": 3, "hidden": 16, "heads": 2, "intermediate": 24, "max_positions": 20}


def small(**fields: object) -> BertBackbone:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        return Bert(**{**SMALL, **fields}).build(50, 0).eval()


def test_a_pooler_that_nobody_asks_for_is_not_there():
    backbone = small(pooling="mean")
    assert backbone.model.pooler is None
    assert list(backbone.pooler_parameters()) == []


def test_a_mask_that_masks_nothing_is_no_mask():
    tokens = batch(padded=False)
    state = small().embed(TokenBatch(tokens.input_ids, torch.ones_like(tokens.input_ids)))
    assert state.mask is None
    assert state.padding is None


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
