"""The matrix products of an ordinary encoder layer, which most families have in common."""

from __future__ import annotations

from greenexp.records.costs import BlockCost, MatmulCost


def layer_products(
    batch_size: int, length: int, width: int, inner_width: int, *, below: bool = False, attention: int | None = None
) -> BlockCost:
    """Self-attention and one feed-forward network: with B, S, H, I 8BSH^2 + 4BSHI (linear) + 4BS^2H (attention) FLOPs.

    batch_size, length, width, inner_width: B, S, H, I
    attention: width of all heads of the layer together; None: H
    below: whether the layer's input already went through weights of the same block
    """
    tokens, heads = batch_size * length, width if attention is None else attention
    return (
        MatmulCost(3 * 2 * tokens * width * heads, inner=below),  # query, key, value
        *attention_products(batch_size, length, heads),
        MatmulCost(2 * tokens * heads * width, inner=True),  # attention output
        MatmulCost(2 * tokens * width * inner_width, inner=True),
        MatmulCost(2 * tokens * inner_width * width, inner=True),
    )


def attention_products(batch_size: int, length: int, width: int) -> BlockCost:
    """QK^T and attention x V over all heads; `width` is that of all heads together."""
    flops = 2 * batch_size * length * length * width
    return (MatmulCost(flops, weight=False, inner=True), MatmulCost(flops, weight=False, inner=True))
