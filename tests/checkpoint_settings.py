"""Encoders with relative or rotary positions under settings that configs of checkpoints may have."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DebertaV2Config, ModernBertConfig, MPNetConfig, MPNetModel

from greenexp.backbones.deberta import DebertaBackbone, PooledDeberta
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.modernbert import ModernBertBackbone, PooledModernBert
from greenexp.backbones.mpnet import MPNetBackbone

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
SETTINGS = {**SIZES, "max_position_embeddings": 40, "attn_implementation": "eager"}
NO_SPECIAL = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"))
BOTH = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("deberta", {}),
    ("deberta", {"pos_att_type": ["c2p", "p2c"]}),
    ("deberta", {"relative_attention": True, "pos_att_type": "p2c", "position_buckets": 4}),
    ("deberta", {"relative_attention": True, "pos_att_type": ["c2p"], "share_att_key": True}),
    ("deberta", {"relative_attention": True, "pos_att_type": [], "share_att_key": True}),
    ("deberta", {**BOTH, "share_att_key": True, "position_buckets": 6, "norm_rel_ebd": "layer_norm"}),
    ("deberta", {**BOTH, "position_biased_input": False, "max_relative_positions": 11, "type_vocab_size": 2}),
    ("deberta", {**BOTH, "conv_kernel_size": 3, "conv_act": "gelu", "position_buckets": 4}),
    ("deberta", {"embedding_size": 8, "num_hidden_layers": 1}),
    ("mpnet", {"pad_token_id": 1}),
    ("mpnet", {"pad_token_id": 1, "relative_attention_num_buckets": 40, "hidden_act": "relu"}),
    ("modernbert", {"local_attention": 5, "global_attn_every_n_layers": 1}),
    ("modernbert", {"local_attention": 4, "num_hidden_layers": 5}),
    ("modernbert", {"local_attention": 6, "layer_types": ["sliding_attention"] * 3}),
    ("modernbert", {"local_attention": 2, "norm_bias": True, "attention_bias": True, "mlp_bias": True}),
    ("modernbert", {"local_attention": 4, "global_rope_theta": 500.0, "local_rope_theta": 50.0}),
]


def driven(name: str, settings: dict[str, Any]) -> LibraryBackbone:
    """The encoder, weights far enough from 0 that layers do something, without dropout."""
    own = {**SETTINGS, **settings}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        if name == "deberta":
            backbone: LibraryBackbone = DebertaBackbone(PooledDeberta(DebertaV2Config(**own), False), "mean")
        elif name == "mpnet":
            backbone = MPNetBackbone(MPNetModel(MPNetConfig(**own), False), "mean")
        else:
            config = ModernBertConfig(**{"pad_token_id": 0, **NO_SPECIAL, **own})
            backbone = ModernBertBackbone(PooledModernBert(config, False), "mean")
    with torch.no_grad():
        for key, parameter in backbone.named_parameters():
            if parameter.dim() == 2 and "word" not in key:
                parameter.mul_(6)
    for module in backbone.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return backbone.eval()
