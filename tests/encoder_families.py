"""Every backbone family in a small form, with fields that its new encoders may have."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from greenexp.backbones import BACKBONES
from greenexp.backbones.base import TokenBatch
from greenexp.backbones.library import LibraryBackbone

SMALL: dict[str, Any] = {"layers": 3, "hidden": 16, "heads": 2, "intermediate": 24, "max_positions": 20}
FAMILIES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 6},
    "bert": {},
    "deberta": {"buckets": 4},
    "distilbert": {},
    "elasticbert": {},
    "electra": {"embedding_size": 6},
    "mobilebert": {"embedding_size": 6, "bottleneck": 8, "feed_forwards": 3},
    "modernbert": {"window": 4, "global_every": 2},
    "mpnet": {},
    "roberta": {},
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in FAMILIES},
    "albert, two groups": ("albert", {"groups": 2}),
    "modernbert, local alone": ("modernbert", {"window": 2, "global_every": 9}),
    "electra, no projection": ("electra", {"embedding_size": 16}),
    "mobilebert, plain pooler, one network": ("mobilebert", {"pooler_dense": False, "feed_forwards": 1}),
}
WITHOUT_POOLER = ("deberta", "distilbert", "electra", "modernbert")
WITHOUT_TYPES = ("deberta-v2", "distilbert", "modernbert", "mpnet", "roberta")


def section(variant: str, **fields: Any) -> dict[str, Any]:
    """`name` and fields, as in a sweep file."""
    name, own = VARIANTS[variant]
    return {"name": name, **SMALL, **FAMILIES[name], **own, **fields}


def small(variant: str, pad_id: int = 0, seed: int = 1, **fields: Any) -> LibraryBackbone:
    """A new encoder over 50 tokens, in evaluation mode; weights far enough from 0 that layers do something."""
    made = section(variant, **fields)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        backbone = BACKBONES[made.pop("name")](**made).build(50, pad_id).eval()
        with torch.no_grad():
            for name, parameter in backbone.named_parameters():
                if parameter.dim() == 2 and "embeddings." not in name:
                    parameter.mul_(8)
    return backbone  # type: ignore[return-value]  # all of ours drive a library model


def batch(padded: bool, examples: int = 3, length: int = 7, pad_id: int = 0) -> TokenBatch:
    """Random ids; if `padded`, each row after the first one token shorter than the row before; types in any case."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(4, 50, (examples, length)))
    types = torch.arange(length).ge(3).long().expand(examples, -1)
    if not padded:
        return TokenBatch(ids, None, types)
    mask = (torch.arange(length) < length - torch.arange(examples)[:, None]).long()
    return TokenBatch(torch.where(mask.bool(), ids, pad_id), mask, types)


def states(backbone: LibraryBackbone, tokens: TokenBatch) -> list[torch.Tensor]:
    """Hidden states before and after each layer, and the pooled vectors after the last."""
    state = backbone.embed(tokens)
    hidden = [state.hidden]
    for index in range(backbone.num_layers):
        state = backbone.layer(index, state)
        hidden.append(state.hidden)
    return [*hidden, backbone.pool(state)]


def library_states(backbone: LibraryBackbone, tokens: TokenBatch) -> list[torch.Tensor]:
    """The same from the library's own forward pass; without the pooled vectors where it gives none."""
    names = {"input_ids": tokens.input_ids, "attention_mask": tokens.attention_mask}
    if backbone.model.config.model_type not in WITHOUT_TYPES:
        names["token_type_ids"] = tokens.token_type_ids
    output = backbone.model(**names, output_hidden_states=True)
    pooled = getattr(output, "pooler_output", None)
    return [*output.hidden_states, *([] if pooled is None else [pooled])]
