"""Exits: the heads that classify after a layer, and the policies that decide when to stop.

In here: heads (torch modules over one layer's state) and policies in stream form (exit after exit). Not in here:
encoders, losses. To add a head: a file with a frozen dataclass that follows `base.HeadPlugin`, a line below and a row
in the case table of tests/exits. A policy: the same in `policies/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenexp.registry import Registry

if TYPE_CHECKING:
    from greenexp.exits.base import HeadPlugin
    from greenexp.exits.policies.base import Policy

HEADS: Registry[type[HeadPlugin]] = Registry(
    "exit head",
    {
        "attention": "greenexp.exits.attention:Attention",
        "linear": "greenexp.exits.linear:Linear",
        "mixed_pool": "greenexp.exits.mixed_pool:MixedPool",
        "pooled": "greenexp.exits.pooled:Pooled",
        "pretraining": "greenexp.exits.pretraining:Pretraining",
        "scalar_mix": "greenexp.exits.scalar_mix:ScalarMix",
    },
    "greenexp.exit_heads",
)

POLICIES: Registry[type[Policy]] = Registry(
    "exit policy",
    {
        "entropy": "greenexp.exits.policies.entropy:Entropy",
        "max_probability": "greenexp.exits.policies.max_probability:MaxProbability",
        "patience": "greenexp.exits.policies.patience:Patience",
        "voting": "greenexp.exits.policies.voting:Voting",
        "learned": "greenexp.exits.policies.learned:Learned",
        "static": "greenexp.exits.policies.static:Static",
        "oracle": "greenexp.exits.policies.oracle:Oracle",
    },
    "greenexp.exit_policies",
)

__all__ = ["HEADS", "POLICIES"]
