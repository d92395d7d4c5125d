"""Layers removed from a trained model, as LayerDrop does at inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field

from greenexp.compression.base import Compression, EncoderView, ReportContext
from greenexp.errors import InputError
from greenexp.records.form import Cut


def _as_tuple(values: object) -> object:
    return tuple(values) if isinstance(values, list) else values


@dataclass(frozen=True)
class LayerPruning(Compression):
    """Layers are removed from the trained model, evenly spread ones or those that are listed.

    Rule: of N layers, `count` stay: layer 1 + floor(i N / count) for i = 0..count - 1, so that of 6 layers 1, 3, 5
    stay, and of 12 layers 1, 3, 5, 7, 9, 11, as in the official code's example; or exactly those of `layers`.
    Source: Fan, Grave and Joulin, "Reducing Transformer Depth on Demand with Structured Dropout", ICLR 2020, strategy
    "every other"; repository facebookresearch/fairseq@3d262bb2, `--encoder-layers-to-keep`.
    A model loses little by it if it was trained for it (method `layerdrop`); of other models it is a baseline.
    An exit on a layer that goes moves to the last layer below it that stays; of several there, the highest remains.
    Parameters, bytes and FLOPs are those of the smaller model. ALBERT has one layer in all places: fewer are applied.

    count: layers that stay; None: half of them, rounded up
    layers: their numbers from 1, rising; None: evenly spread ones. The paper searches them on dev: list the sets as
        values of `compression.layers` in the sweep's space
    """

    count: Annotated[int, Field(ge=1)] | None = None
    layers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_as_tuple)] | None = None

    def __post_init__(self) -> None:
        if self.layers is None:
            return
        if self.count is not None:
            raise InputError("layer_pruning: count and layers both say which layers stay: leave one out")
        if not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise InputError(f"layer_pruning: layers must rise, each once, and at least one: got {list(self.layers)}")

    def cut(self, context: ReportContext) -> Cut:
        """See `Compression.cut`."""
        return self.typical_cut(context.encoder)

    def typical_cut(self, encoder: EncoderView) -> Cut:
        """See `Compression.typical_cut`."""
        return Cut(layers=self.kept(encoder.num_layers))

    def kept(self, num_layers: int) -> tuple[int, ...]:
        """The layers that stay of `num_layers`."""
        if self.layers is not None:
            if self.layers[-1] > num_layers:
                raise InputError(f"layer_pruning: layers: the encoder has {num_layers} layers, not {self.layers[-1]}")
            return self.layers
        count = -(-num_layers // 2) if self.count is None else self.count
        if count > num_layers:
            raise InputError(f"layer_pruning: count: the encoder has {num_layers} layers, not {count}")
        return tuple(1 + index * num_layers // count for index in range(count))
