"""The one protocol every backbone follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from greenexp.backbones.parts import LayerParts, no_parts
from greenexp.errors import InputError
from greenexp.records.costs import EncoderCosts


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids of some examples, padded to one length.

    input_ids: int64 or int32 [example, token]; token_type_ids: the same shape, or None for all zeros
    attention_mask: [example, token], nonzero where there is a token; None says that nothing is padded, which spares the
        attention a mask and the host a synchronisation
    places: int64 [example, place], where tokens are to be predicted; None: nowhere
    """

    input_ids: Tensor
    attention_mask: Tensor | None = None
    token_type_ids: Tensor | None = None
    places: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Examples, and tokens of each with its padding: what the batch costs follows from it."""
        examples, length = self.input_ids.shape
        return examples, length

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> TokenBatch:
        """The same batch on `device`."""
        moved = (
            None if tensor is None else tensor.to(device, non_blocking=non_blocking)
            for tensor in (self.input_ids, self.attention_mask, self.token_type_ids, self.places)
        )
        input_ids, attention_mask, token_type_ids, places = moved
        if input_ids is None:
            raise ValueError("a batch without input ids")
        return TokenBatch(input_ids, attention_mask, token_type_ids, places)


@dataclass(frozen=True, slots=True)
class PixelBatch:
    """Images of some examples, all of one size.

    pixels: uint8 [example, channel, row, column]; places: as in `TokenBatch`; an image has none
    """

    pixels: Tensor
    places: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, int]:
        """Examples, and pixels of each: what the batch costs follows from it."""
        examples, _, rows, columns = self.pixels.shape
        return examples, rows * columns

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> PixelBatch:
        """The same batch on `device`."""
        return PixelBatch(self.pixels.to(device, non_blocking=non_blocking))


InputBatch: TypeAlias = TokenBatch | PixelBatch
"""What a model is asked: both kinds have a `shape` (examples, length), `places` and `to`."""
Reads: TypeAlias = Literal["texts", "images"]


@dataclass(frozen=True, slots=True)
class EncoderState:
    """What one layer hands to the next.

    hidden: [example, token, hidden]; of images [example, channel, row, column], of which layers differ in all but the
        first
    mask: the attention mask in the form the layers want ([example, 1, token, token]), or None
    padding: bool [example, token], True where there is a token, or None if nothing is padded
    positions: what the layers read of the tokens' places, computed once per batch: rotary angles, relative positions.
        Only the backbone knows its form
    normed: whether `hidden` already went through the norm that a pre-norm encoder has above its last layer
    """

    hidden: Tensor
    mask: Tensor | None = None
    padding: Tensor | None = None
    positions: tuple[Tensor | None, ...] = ()
    normed: bool = False


class Backbone(nn.Module, ABC):
    """An encoder in pieces.

    num_layers, hidden_size: its shape; max_length: longest sequence it can take; vocab_size: its token ids
    reads: what its batches are: `TokenBatch` for texts, `PixelBatch` for images; side_unit: what sides are multiples of
    narrowed: index of a layer from which heads or units were removed -> width of its heads together, of its units
    notes: what a reader of the results must know about its weights (`the pooler is newly initialised`)
    stacks: whether it computes the examples of several models side by side in one batch, see `model.stacked`: all its
        tensors have the examples as their first axis, or one row that stands for all. The tests show it
    """

    stacks: ClassVar[bool] = False

    num_layers: int
    hidden_size: int
    max_length: int
    vocab_size: int
    reads: ClassVar[Reads] = "texts"
    side_unit: ClassVar[int] = 1
    notes: tuple[str, ...] = ()
    narrowed: dict[int, tuple[int, int]]

    @abstractmethod
    def embed(self, batch: Any) -> EncoderState:
        """The state before layer 0 of a batch of the kind it reads. Raises InputError if it does not fit."""

    @abstractmethod
    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """A state between two layers from hidden states of examples that may come from different batches.

        hidden: [example, token, hidden]; attention_mask: as in `TokenBatch`
        """

    def kept(self, state: EncoderState, rows: Tensor, length: int, *, padded: bool) -> EncoderState:
        """Examples `rows` (int64) of a state, cut to their first `length` tokens.

        padded: whether any of them is shorter than that; the host knows, so that the device is not asked
        """
        hidden = state.hidden[:, :length].index_select(0, rows)
        if state.mask is None or not padded:
            return EncoderState(hidden)
        mask = state.mask[:, :, :length, :length].index_select(0, rows)
        return EncoderState(hidden, mask, None if state.padding is None else state.padding[:, :length][rows])

    def width_at(self, layer: int) -> int:  # noqa: ARG002 - of encoders the same everywhere
        """Channels of the state after layer `layer` (from 1), and so of what `pool` gives there."""
        return self.hidden_size

    def seen(self, state: EncoderState) -> Tensor:
        """[example, token, hidden]: what exits see of a state; a pre-norm encoder's goes through its final norm."""
        return state.hidden

    @abstractmethod
    def layer(self, index: int, state: EncoderState) -> EncoderState:
        """The state after layer `index` (from 0); mask, padding and positions pass through."""

    @abstractmethod
    def pool(self, state: EncoderState) -> Tensor:
        """[example, hidden]: one vector per example, the same function after every layer; see `width_at`."""

    @abstractmethod
    def matmuls(self, batch_size: int, length: int) -> EncoderCosts:
        """Analytic forward costs for `batch_size` examples padded to `length`; see `greenexp.records.costs`."""

    @abstractmethod
    def embedding_parameters(self) -> Iterable[nn.Parameter]:
        """All parameters below layer 0."""

    @abstractmethod
    def layer_parameters(self) -> Iterable[nn.Parameter]:
        """All parameters of the layers; a weight shared between layers once."""

    @abstractmethod
    def pooler_parameters(self) -> Iterable[nn.Parameter]:
        """All parameters of `pool`; nothing where pooling has none."""

    def pooler_for(self, layer: int) -> nn.Linear | None:  # noqa: ARG002 - some have one per layer
        """The pretrained pooler's dense layer that belongs to `layer` (from 1); None where there is none.

        Where all layers share one pooler it is the same for each. Heads with poolers of their own start from it.
        """
        return None

    def drop_pooler(self) -> None:
        """Forget the poolers, because no head reads them: `pool` is `cls` from here on, `pooler_parameters` empty."""

    def layer_parts(self, index: int) -> LayerParts:  # noqa: ARG002 - for those whose layers can be cut
        """The linear layers of layer `index` (from 0). Raises InputError where heads and units cannot be removed."""
        raise no_parts(type(self).__name__)

    def layer_list(self) -> nn.ModuleList | None:
        """The layers, where each place has one of its own; else None."""
        return None

    def own_layers(self) -> nn.ModuleList | None:
        """The layers that a model of the same family may begin with, where each place has one of its own; else None.

        Also where they cannot be taken out or put into another order, as those of `layer_list` can.
        """
        return self.layer_list()

    def position_tables(self) -> tuple[nn.Parameter, ...]:
        """Those of `layer_parameters` that are looked up by the distance between tokens: they are no matrix product."""
        return ()

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The modules of its layers that a compiler may compute while they train, each called with tensors alone.

        Empty where nothing was tried.
        """
        return ()

    def keep_layers(self, numbers: Sequence[int]) -> None:  # noqa: ARG002 - as above
        """Let only these layers (from 1, rising) stay. Raises InputError where the family cannot do without others."""
        raise no_parts(type(self).__name__)

    def share_layers(self, groups: int) -> None:  # noqa: ARG002 - as above
        """Let adjacent layers share weights, in this many groups, each the mean of its layers. Raises InputError."""
        raise no_parts(type(self).__name__)

    def token_table(self) -> tuple[nn.Module, str]:
        """The module that holds the token embeddings, and under which name. Raises InputError where it is not known."""
        raise no_parts(type(self).__name__)

    def part_modules(self, kind: str) -> tuple[nn.Module, ...]:  # noqa: ARG002 - as above
        """The modules of the `layers`, the `pooler` or the `embeddings`. Raises InputError where they are not known."""
        raise no_parts(type(self).__name__)

    def save_cut(self, folder: Path) -> None:  # noqa: ARG002 - as above
        """As `save`, after parts of the encoder were removed so that the library's classes do not describe it."""
        raise InputError(f"{type(self).__name__} cannot be saved after parts of it were removed")

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write config and safetensors into `folder` so that `AutoModel.from_pretrained(folder)` reads them."""


class BackbonePlugin(Protocol):
    """The frozen dataclass behind a name in BACKBONES. Its fields include `layers: int | None`, if it reads texts.

    One that reads images says so in a class variable `reads`, and how many layers its fields make in `num_layers`.
    One that reads `greenexp.assets` names them in a property `assets`, a tuple, so that they are fetched early.
    """

    def build(self, vocab_size: int, pad_id: int, device: str = "cpu") -> Backbone:
        """The backbone, its new weights drawn from torch's CPU generator.

        With `device="meta"` shapes only, nothing is drawn or read beyond a config file. Raises InputError if the fields
        contradict the source, the source cannot be read, or it has fewer than `vocab_size` tokens.
        """

    def load(self, folder: Path, reshape: Callable[[Any], None] | None = None) -> Backbone:
        """What `Backbone.save` wrote. Raises CheckpointError; executes nothing from the folder.

        reshape: gives a backbone without weights the form in which they were saved; None: that of its config. It is
            handed over only if there is one
        """

    def tokenizer(self) -> Any | None:
        """The tokenizer that belongs to the source, or None for a randomly initialised backbone."""
