"""What one graph holds, as modules of torch that go from tensors to tensors.

Masks and positions are made anew in every graph from the attention mask, so that only hidden states travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from greenexp.backbones.base import EncoderState, TokenBatch
from greenexp.errors import InputError
from greenexp.model.multi_exit import MultiExitModel

FULL = "full"


def segment_name(number: int) -> str:
    """The graph of the layers that end at exit `number`."""
    return f"segment-{number}"


def exit_name(number: int) -> str:
    """The graph of exit `number` itself."""
    return f"exit-{number}"


@dataclass(frozen=True, eq=False)
class Piece:
    """One graph to be written.

    about: what it holds, in words; module: computes it; inputs: by name, with axes (example, token) but for `earlier`
    outputs: their names
    """

    name: str
    about: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def reads_types(model: MultiExitModel) -> bool:
    """Whether the first graph takes token types."""
    return bool(getattr(model.backbone, "reads_types", True))


def remembers(model: MultiExitModel, exits: Sequence[int]) -> bool:
    """Whether an exit reads the pooled vectors of the layers below it."""
    return any(model.head(number).reads_earlier for number in exits)


def pieces_of(model: MultiExitModel, exits: Sequence[int]) -> list[Piece]:
    """A segment and an exit for each of `exits` (numbers from 1, ascending), and the whole model up to the last."""
    if next(model.parameters()).device.type != "cpu":
        raise InputError("graphs are written of a model on the CPU")
    tokens = _example(model)
    hidden = torch.zeros(*tokens["input_ids"].shape, model.backbone.hidden_size)
    mask = tokens["attention_mask"]
    keeps = remembers(model, exits)
    ends = [model.exit_layers[number - 1] for number in exits]
    found: list[Piece] = []
    for place, (number, last) in enumerate(zip(exits, ends, strict=True)):
        first = ends[place - 1] if place else 0
        layers = f"layers {first + 1} to {last}"
        outputs = ("climbed", "remembered") if keeps else ("climbed",)
        if first == 0:
            module: nn.Module = _First(model, last, keeps)
            found.append(Piece(segment_name(number), f"embeddings and {layers}", module, tokens, outputs))
        else:
            module, inputs = _Later(model, first, last, keeps), {"hidden": hidden, "attention_mask": mask}
            found.append(Piece(segment_name(number), layers, module, inputs, outputs))
        inputs = {"hidden": hidden, "attention_mask": mask}
        if keeps:
            inputs["earlier"] = torch.zeros(hidden.shape[0], last, model.backbone.hidden_size)
        said = ("logits",) if model.learned is None else ("logits", "learned")
        found.append(Piece(exit_name(number), f"exit {number}", _Exit(model, number), inputs, said))
    found.append(whole_piece(model, exits[-1]))
    return found


def whole_piece(model: MultiExitModel, number: int) -> Piece:
    """The model up to exit `number` as one graph: below the last exit, a static model cut to its first layers."""
    whole = _Whole(model, number, remembers(model, (number,)))
    return Piece(FULL, f"the model up to exit {number}", whole, _example(model), ("logits",))


def _example(model: MultiExitModel) -> dict[str, Tensor]:
    """Two examples of different lengths: an axis of one element would be taken for a constant."""
    length = min(9, model.backbone.max_length)
    ids = torch.ones(2, length, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, length // 2 + 1 :] = 0
    types = {"token_type_ids": torch.zeros_like(ids)} if reads_types(model) else {}
    return {"input_ids": ids, "attention_mask": mask, **types}


class _Climbing(nn.Module):
    """Layers `first` (from 0) to `last` (excluded) of a model; keeps: whether it pools after each of them."""

    def __init__(self, model: MultiExitModel, first: int, last: int, keeps: bool) -> None:
        super().__init__()
        self.model, self.first, self.last, self.keeps = model, first, last, keeps

    def climbed(self, state: EncoderState) -> tuple[EncoderState, tuple[Tensor, ...]]:
        pooled: list[Tensor] = []
        for index in range(self.first, self.last):
            state = self.model.backbone.layer(index, state)
            if self.keeps:
                pooled.append(self.model.backbone.pool(state))
        return state, tuple(pooled)

    def outputs(self, state: EncoderState) -> tuple[Tensor, ...]:
        after, pooled = self.climbed(state)
        return (after.hidden, torch.stack(pooled, dim=1)) if self.keeps else (after.hidden,)


class _First(_Climbing):
    def __init__(self, model: MultiExitModel, last: int, keeps: bool) -> None:
        super().__init__(model, 0, last, keeps)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        return self.outputs(self.model.backbone.embed(TokenBatch(input_ids, attention_mask, token_type_ids)))


class _Later(_Climbing):
    def forward(self, hidden: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        return self.outputs(self.model.backbone.regroup(hidden, attention_mask))


class _Exit(nn.Module):
    def __init__(self, model: MultiExitModel, number: int) -> None:
        super().__init__()
        self.model, self.number = model, number

    def forward(self, hidden: Tensor, attention_mask: Tensor, earlier: Tensor | None = None) -> tuple[Tensor, ...]:
        is_last = self.model.exit_layers[self.number - 1] == self.model.backbone.num_layers
        state = EncoderState(hidden, None, attention_mask.bool(), normed=is_last)
        below = () if earlier is None else earlier.unbind(dim=1)
        logits, learned = self.model.exit_output(self.number, state, below)
        return (logits,) if learned is None else (logits, learned)


class _Whole(_First):
    def __init__(self, model: MultiExitModel, number: int, keeps: bool) -> None:
        super().__init__(model, model.exit_layers[number - 1], keeps)
        self.number = number

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        state = self.model.backbone.embed(TokenBatch(input_ids, attention_mask, token_type_ids))
        after, pooled = self.climbed(state)
        return (self.model.exit_logits(self.number, after, pooled),)
