"""What a compression tells whoever trains, scores and serves a model.

A `Compression` is the frozen dataclass of the sweep file's section `compression`. The model that trains stays whole;
before each report a copy is cut, and the report, the saved model and all costs at inference are of that copy:

    adapt(settings)     the model's settings before it is built
    before_step(...), after_step(...)    what changes in the weights after an optimiser step
    remarks(...)        what must be known of the weights
    passes(exits)       the passes over training examples by which it chooses what goes, priced as training
    examples            of how many of them
    cut(context)        what stays
    typical_cut(view)   one that costs the same at inference, for the price, before there are weights
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from greenexp.records.costs import Pass
from greenexp.records.form import Cut
from greenexp.records.settings import ModelSettings


class LayerView(Protocol):
    """The places in a layer that a compression looks at.

    attention_output: the linear layer that reads the heads' contexts, laid side by side; heads: how many there are
    outer: the second linear layer of the feed-forward network, which reads its units
    """

    @property
    def attention_output(self) -> nn.Linear:
        """See the class."""

    @property
    def outer(self) -> nn.Linear:
        """See the class."""

    @property
    def heads(self) -> int:
        """See the class."""


class EncoderView(Protocol):
    """The encoder, as a compression sees it."""

    num_layers: int

    def layer_parts(self, index: int) -> LayerView:
        """Layer `index` (from 0). Raises InputError for an encoder whose layers cannot be cut."""

    def layer_parameters(self) -> Any:
        """All parameters of the layers; a weight shared between layers once."""

    def position_tables(self) -> Any:
        """Those of them that are looked up by the distance between tokens."""


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What may be looked at before a report.

    encoder: in evaluation mode; nothing in it may be changed
    losses: `losses()` goes over `Compression.examples` of the training split, as many at a time as are computed at
        once; each item is the sum over these examples of the losses of the trained exits, ready for a backward pass
        through all layers, in which no weight gets a gradient
    """

    encoder: EncoderView
    losses: Callable[[], Iterator[Tensor]]


class Compression:
    """The frozen dataclass behind a name in COMPRESSIONS. The defaults are those of one that takes nothing.

    examples: of the training split, by which it chooses
    """

    examples: ClassVar[int] = 0

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """The settings that the model is built from."""
        return settings

    def before_step(self, encoder: EncoderView) -> Any:  # noqa: ARG002 - for those that act while a model trains
        """What `after_step` must know of the weights before the step."""
        return None

    def after_step(self, encoder: EncoderView, before: Any, step: int, steps: int) -> None:
        """After optimiser step `step` (from 1) of all `steps` of a full training."""

    def remarks(self, encoder: EncoderView) -> tuple[str, ...]:  # noqa: ARG002 - as above
        """What must be known of the weights of a report's model, a clause each."""
        return ()

    def passes(self, exits: Sequence[int]) -> tuple[Pass, ...]:  # noqa: ARG002 - most look at no example
        """The passes over `examples` training examples before a report of `exits`."""
        return ()

    def cut(self, context: ReportContext) -> Cut | None:  # noqa: ARG002 - for those that cut
        """What stays of the model for this report; None: all of it."""
        return None

    def typical_cut(self, encoder: EncoderView) -> Cut | None:  # noqa: ARG002 - as above
        """A cut with the inference costs of any that `cut` gives. Raises InputError where the encoder does not fit."""
        return None


@dataclass(frozen=True)
class NoCompression(Compression):
    """Nothing is taken from the model: it is scored and served as it was trained."""
