"""Backbones: encoders as `embed` + a list of layers + `pool`, built on the library's own layers.

In here: what turns token ids into hidden states, and what that costs. Not in here: exit heads, losses, training.
To add one: a file with a frozen dataclass (its fields are the sweep file's `backbone:` section) that follows
`base.BackbonePlugin` (derived from `encoder.LibraryEncoder` where transformers has the model), a line below, and a row
in the case table of tests/backbones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenexp.registry import Registry

if TYPE_CHECKING:
    from greenexp.backbones.base import BackbonePlugin

BACKBONES: Registry[type[BackbonePlugin]] = Registry(
    "backbone",
    {
        "albert": "greenexp.backbones.albert:Albert",
        "bert": "greenexp.backbones.bert:Bert",
        "deberta": "greenexp.backbones.deberta:Deberta",
        "distilbert": "greenexp.backbones.distilbert:DistilBert",
        "elasticbert": "greenexp.backbones.elasticbert:ElasticBert",
        "electra": "greenexp.backbones.electra:Electra",
        "mobilebert": "greenexp.backbones.mobilebert:MobileBert",
        "modernbert": "greenexp.backbones.modernbert:ModernBert",
        "mpnet": "greenexp.backbones.mpnet:MPNet",
        "resnet": "greenexp.backbones.resnet:ResNet",
        "roberta": "greenexp.backbones.roberta:Roberta",
    },
    "greenexp.backbones",
)

__all__ = ["BACKBONES"]
