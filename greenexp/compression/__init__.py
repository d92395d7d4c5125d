"""Compression: what is taken from a trained model before it is scored and served.

In here: which layers, heads and units go, by what measure; which weights become zero while a model trains; weights in
8 bits. Not in here: the removal itself (model/), training by a teacher (methods/).
To add one: a file with a frozen dataclass that follows `base.Compression` (its docstring is its card), a line below,
and a row in the case table of tests/compression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenexp.registry import Registry

if TYPE_CHECKING:
    from greenexp.compression.base import Compression

COMPRESSIONS: Registry[type[Compression]] = Registry(
    "compression",
    {
        "head_pruning": "greenexp.compression.head_pruning:HeadPruning",
        "int8": "greenexp.compression.int8:Int8",
        "layer_pruning": "greenexp.compression.layer_pruning:LayerPruning",
        "magnitude_pruning": "greenexp.compression.magnitude_pruning:MagnitudePruning",
        "none": "greenexp.compression.base:NoCompression",
        "unit_pruning": "greenexp.compression.unit_pruning:UnitPruning",
        "weight_sharing": "greenexp.compression.weight_sharing:WeightSharing",
    },
    "greenexp.compressions",
)

__all__ = ["COMPRESSIONS"]
