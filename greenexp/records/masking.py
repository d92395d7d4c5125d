"""How many tokens of an example are masked: known from its length alone, so that FLOPs are known before anything runs.

A plan prices shapes, the data draws the places and an exit head predicts there: all three count by this.
"""

from __future__ import annotations

MASKED_SHARE = 0.15
"""Share of an example's tokens that are to be predicted (BERT, Devlin et al. 2019, section 3.1; ElasticBERT's too)."""

NOT_MASKED = -100
"""The target at a place where no token is to be predicted; torch's own default for what a cross-entropy leaves out."""


def masked_places(length: int) -> int:
    """Places at which tokens are predicted in an example, or a batch padded to, `length` tokens: 15 %, at least one.

    length: in tokens, special ones included, as BERT counts them
    """
    return max(1, int(MASKED_SHARE * length + 0.5))
