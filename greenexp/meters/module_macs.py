"""Multiply-adds of the modules of an encoder from the shapes of their inputs, in two ways of counting.

`products`: matrix products only, as everywhere in greenexp, where a multiply-add is 2 FLOPs. `counter`: what the
official counter of ELUE adds to that: the scaling and the softmax of attention, 2 S^2 per head, and a layer norm, 2 SH.
Its MFLOPs are 2 x its multiply-adds, too. Source: fastnlp/ElasticBERT@ffb827b4, FLOPs/flops_counter.py, whose numbers
for BERT, ALBERT and ElasticBERT these formulas give exactly. No torch, no model.

Symbols: S tokens, H hidden size, F intermediate size, d = H / heads, C classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from greenexp.errors import InputError
from greenexp.records.module_calls import ModuleCall

HEAD_WIDTH = 64
"""Width of an attention head in BERT, RoBERTa, ALBERT and ElasticBERT of any size."""


@dataclass(frozen=True, slots=True)
class ModuleMacs:
    """Multiply-adds of one call. products: of matrix products; counter: as ELUE's official counter counts them."""

    products: int
    counter: int

    def __add__(self, other: ModuleMacs) -> ModuleMacs:
        return ModuleMacs(self.products + other.products, self.counter + other.counter)


def layer_macs(tokens: int, hidden: int, intermediate: int, heads: int) -> ModuleMacs:
    """An ordinary encoder layer: 4SH^2 + 2SHF + 2S^2H products; the counter adds heads x 2S^2 + 4SH."""
    products = 4 * tokens * hidden**2 + 2 * tokens * hidden * intermediate + 2 * tokens**2 * hidden
    return ModuleMacs(products, products + heads * 2 * tokens**2 + 4 * tokens * hidden)


def embedding_macs(tokens: int, width: int, hidden: int | None = None) -> ModuleMacs:
    """Look-ups with a layer norm of `width`, and a projection to `hidden` if one is named."""
    products = 0 if hidden is None else tokens * width * hidden
    return ModuleMacs(products, products + 2 * tokens * width)


def linear_macs(inputs: int, outputs: int, rows: int = 1) -> ModuleMacs:
    """A linear layer, without its bias."""
    return ModuleMacs(rows * inputs * outputs, rows * inputs * outputs)


_KINDS = (
    ("embedding", re.compile(r"emb|embed|embeddings?", re.IGNORECASE)),
    ("layer", re.compile(r"(?:encoder[_.]?)?(?:layer|block)[_.]?\d+", re.IGNORECASE)),
    ("norm", re.compile(r"(?:final_|layer_?)?norm(?:[_.]?\d+)?", re.IGNORECASE)),
    ("pooler", re.compile(r"pooler[_.]?\d*", re.IGNORECASE)),
    ("mean", re.compile(r"mean_pool(?:[_.]?\d+)?", re.IGNORECASE)),
    ("classifier", re.compile(r"(?:exit|classifier|off_?ramp|head|cls)[_.]?\d*", re.IGNORECASE)),
    ("uncertainty", re.compile(r"lte(?:[_.]?\d+)?", re.IGNORECASE)),
    ("expert", re.compile(r"(?:expert|ffn)(?:[_.]?\d++)*+", re.IGNORECASE)),
)
"""Kind of module -> the names that mean it. Repetitions in repetitions are possessive: names are what others wrote."""
KNOWN = "emb, layer_1, norm, pooler, mean_pool, exit_1 or classifier over a vector, lte, expert_1 or ffn_1"


@dataclass(frozen=True, slots=True)
class ShapePrices:
    """Prices of modules that are known by their names, from shapes alone, where no code says what they are.

    classes: of the task, 1 for regression; intermediate: F, None: 4H; heads: of attention, None: one for each 64 of H
    Raises InputError for numbers that are none of these.
    """

    classes: int
    intermediate: int | None = None
    heads: int | None = None

    def __post_init__(self) -> None:
        for name in ("classes", "intermediate", "heads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}: at least 1")

    def row(self, calls: Sequence[ModuleCall]) -> tuple[ModuleMacs, tuple[str, ...]]:
        """Sum over the calls that are known, and those that are not, as text, each once."""
        width, total, unknown = self.width(calls), ModuleMacs(0, 0), []
        for call in calls:
            macs = self.call(call, width)
            if macs is None:
                unknown.append(str(call))
            else:
                total += macs
        return total, tuple(dict.fromkeys(unknown))

    @staticmethod
    def width(calls: Sequence[ModuleCall]) -> int | None:
        """H of a row: the last size of the first matrix that a module takes; None without one."""
        return next((call.shape[-1] for call in calls if len(call.shape) == 2), None)

    def call(self, call: ModuleCall, width: int | None) -> ModuleMacs | None:
        """What one call costs; None if name and shape are of no known kind. width: H of the row."""
        kind = next((kind for kind, names in _KINDS if names.fullmatch(call.name)), None)
        shape, last = call.shape, call.shape[-1]
        if kind == "embedding" and len(shape) == 1 and width is not None:
            return embedding_macs(shape[0], width)
        if kind == "pooler" and len(shape) <= 2:
            return linear_macs(last, last)
        if kind in {"classifier", "uncertainty"} and len(shape) == 1:
            return linear_macs(last, self.classes if kind == "classifier" else 1)
        if len(shape) != 2:
            return None
        if kind == "norm":
            return ModuleMacs(0, 2 * shape[0] * last)
        inner = self.intermediate or 4 * last
        if kind == "layer":
            return layer_macs(shape[0], last, inner, self.heads or max(1, last // HEAD_WIDTH))
        if kind == "expert":
            return linear_macs(last, 2 * inner, shape[0])
        return ModuleMacs(0, 0) if kind == "mean" else None
