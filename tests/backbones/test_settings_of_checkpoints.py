"""Encoders with relative or rotary positions under the settings that their checkpoints' configs may have."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_settings import CASES, NO_SPECIAL, SETTINGS, driven
from encoder_families import batch, library_states, states
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.utils.flop_counter import FlopCounterMode
from transformers import DebertaV2Config, ModernBertConfig, MPNetConfig, PreTrainedTokenizerFast

from greenexp.backbones import BACKBONES
from greenexp.backbones.base import TokenBatch
from greenexp.backbones.library import LibraryBackbone
from greenexp.errors import InputError
from greenexp.meters.flops import training_flops
from greenexp.records.costs import ModelCosts, Part, Pass


def tokens_for(backbone: LibraryBackbone, length: int, *, padded: bool) -> TokenBatch:
    tokens = batch(padded, 3, length, backbone.model.config.pad_token_id)
    return tokens if backbone.reads_types else dataclasses.replace(tokens, token_type_ids=None)


def counted(call: Any) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_states_costs_and_cut_batches(name: str, settings: dict[str, Any]):
    backbone = driven(name, settings)
    with torch.inference_mode():
        for padded, length in ((False, 1), (False, 12), (True, 19)):
            tokens = tokens_for(backbone, length, padded=padded)
            ours = states(backbone, tokens)
            if backbone.reads_types:
                theirs = backbone.model(
                    tokens.input_ids, tokens.attention_mask, tokens.token_type_ids, output_hidden_states=True
                ).hidden_states
            else:
                theirs = library_states(backbone, tokens)
            for one, other in zip(ours[:-1], theirs, strict=True):
                assert (one - other).abs().max() <= 1e-6
            costs = backbone.matmuls(3, length)
            listed = sum(one.flops for block in (costs.embeddings, *costs.layers) for one in block)
            assert counted(lambda tokens=tokens: states(backbone, tokens)) == listed
        state = backbone.layer(0, backbone.embed(tokens))
        cut = backbone.kept(state, torch.tensor([1, 2]), 18, padded=True)
        alone = backbone.kept(state, torch.tensor([2]), 17, padded=False)
        for index in range(1, backbone.num_layers):
            cut, alone = backbone.layer(index, cut), backbone.layer(index, alone)
        assert (backbone.pool(cut) - ours[-1][1:]).abs().max() < 2e-5
        assert (backbone.pool(alone) - ours[-1][2:]).abs().max() < 2e-5


@pytest.mark.parametrize(
    "parts",
    [{Part.EMBEDDINGS, Part.LAYERS}, {Part.EMBEDDINGS}, {Part.LAYERS}],
    ids=["both", "embeddings", "layers"],  # the text of a set differs from one process to the next
)
@pytest.mark.parametrize(("name", "settings"), [case for case in CASES if case[0] == "deberta"], ids=str)
def test_backward_passes_through_position_tables(name: str, settings: dict[str, Any], parts: set[Part]):
    backbone = driven(name, settings).train()
    for part, parameters in (
        (Part.EMBEDDINGS, backbone.embedding_parameters()),
        (Part.LAYERS, backbone.layer_parameters()),
    ):
        for parameter in parameters:
            parameter.requires_grad_(part in parts)
    tokens = tokens_for(backbone, 7, padded=True)
    costs = ModelCosts(backbone.matmuls(3, 7), (backbone.num_layers,), ((),), (True,))
    wanted = training_flops(costs, [Pass((1,), ((1,),), frozenset(parts))])
    assert counted(lambda: states(backbone, tokens)[-1].sum().backward()) == wanted


def test_exits_of_a_pre_norm_encoder_see_what_its_last_layer_would_give():
    backbone = driven("modernbert", {"local_attention": 4})
    short = driven("modernbert", {"local_attention": 4, "num_hidden_layers": 2})
    weights = backbone.model.state_dict()
    short.model.load_state_dict({key: weights[key] for key in short.model.state_dict()})
    tokens = tokens_for(backbone, 12, padded=True)
    with torch.inference_mode():
        state = backbone.embed(tokens)
        for index in range(2):
            state = backbone.layer(index, state)
        assert torch.equal(backbone.pool(state), states(short, tokens)[-1])
        last = backbone.layer(2, state)
        assert torch.equal(backbone.seen(last), last.hidden)  # through the norm once


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("mpnet", MPNetConfig(**SETTINGS, relative_attention_num_buckets=16), "num_buckets 16"),
        (
            "modernbert",
            ModernBertConfig(
                **{**SETTINGS, **NO_SPECIAL, "pad_token_id": 0},
                rope_parameters={"full_attention": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 100.0}},
            ),
            "dynamic",
        ),
    ],
    ids=["buckets", "rotary"],
)
def test_settings_that_cannot_be_computed_are_refused(name: str, config: Any, message: str, tmp_path: Path):
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=message):
        BACKBONES[name](source=str(tmp_path)).build(50, config.pad_token_id, "meta")


def test_version_1_of_deberta_is_another_model(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "deberta"}')
    with pytest.raises(InputError, match="'deberta', not 'deberta-v2'"):
        BACKBONES["deberta"](source=str(tmp_path)).build(50, 0, "meta")
    (tmp_path / "config.json").write_text('{"model_type": "deberta-v2"}')
    with pytest.raises(InputError, match="`name: deberta`"):
        BACKBONES["bert"](source=str(tmp_path)).build(50, 0, "meta")


def pair_ids(found: Any, first: str, second: str) -> list[str]:
    if isinstance(found, Tokenizer):  # of whole words
        return found.encode(first, second).tokens
    return found.convert_ids_to_tokens(found(first, second)["input_ids"])


def test_tokenizers_of_the_families(tmp_path: Path):
    """Unigram (DeBERTa-v3), byte-level BPE (ModernBERT), and MPNet's pairs with two separators, from a folder."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    unigram = Tokenizer(models.Unigram([(one, 0.0) for one in special] + [("▁a", -1.0), ("▁b", -2.0)], unk_id=3))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    bpe = Tokenizer(models.BPE({one: i for i, one in enumerate([*special, "a", "b"])}, [], unk_token="[UNK]"))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = {"<s>": 0, "<pad>": 1, "</s>": 2, "[UNK]": 3, "a": 4, "b": 5}
    mpnet = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    mpnet.pre_tokenizer = pre_tokenizers.Whitespace()
    mpnet.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    for one in (unigram, bpe):
        one.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    wanted = {
        "deberta": (unigram, DebertaV2Config(**SETTINGS), ["[CLS]", "▁a", "[SEP]", "▁b", "[SEP]"]),
        "modernbert": (
            bpe,
            ModernBertConfig(**{**SETTINGS, **NO_SPECIAL, "pad_token_id": 0}),
            ["[CLS]", "a", "[SEP]", "b", "[SEP]"],
        ),
        "mpnet": (mpnet, MPNetConfig(**SETTINGS), ["<s>", "a", "</s>", "</s>", "b", "</s>"]),
    }
    for name, (tokenizer, config, tokens) in wanted.items():
        folder = tmp_path / name
        PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
        config.save_pretrained(folder)
        assert pair_ids(BACKBONES[name](source=str(folder)).tokenizer(), "a", "b") == tokens, name
