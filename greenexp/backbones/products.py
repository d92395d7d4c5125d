"""The matrix products of an ordinary encoder layer, which most families have in common."""

from __future__ import annotations

from greenexp.records.costs import BlockCost, MatmulCost


def layer_products(batch_size: int, length: int, width: int, inner_width: int, *, below: bool = False) -> BlockCost:
    """Self-attention and one feed-forward network: with B, S, H, I 8BSH^2 + 4BSHI (linear) + 4BS^2H (attention) FLOPs.

    batch_size, length, width, inner_width: B, S, H, I
    below: whether the layer's input already went through weights of the same block
    """
    tokens = batch_size * length
    return (
        MatmulCost(3 * 2 * tokens * width**2, inner=below),  # query, key, value
        *attention_products(batch_size, length, width),
        MatmulCost(2 * tokens * width**2, inner=True),  # attention output
        MatmulCost(2 * tokens * width * inner_width, inner=True),
        MatmulCost(2 * tokens * inner_width * width, inner=True),
    )


def attention_products(batch_size: int, length: int, width: int) -> BlockCost:
    """QK^T and attention x V over all heads; `width` is that of all heads together."""
    flops = 2 * batch_size * length * length * width
    return (MatmulCost(flops, weight=False, inner=True), MatmulCost(flops, weight=False, inner=True))
