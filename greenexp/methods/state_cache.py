"""Hidden states of a frozen backbone, computed once for the whole training set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from greenexp.backbones.base import EncoderState, TokenBatch
from greenexp.methods.base import EpochContext, MicroBatch, TrialShape

BYTES_PER_VALUE = 4
"""Of float32. States in a half type take less; the decision whether to keep them must not hang on the machine."""


def needed_bytes(shape: TrialShape, exits: Sequence[int]) -> int:
    """Memory for the states of every training token after the layers of `exits`."""
    return shape.train_tokens * shape.hidden_size * len(exits) * BYTES_PER_VALUE


@dataclass(frozen=True, eq=False)
class StateCache:
    """The states of all training examples, one after the other without padding, and the last exit's logits.

    states: per kept exit [token, hidden], as exits see them; teacher: [example, class]
    starts, lengths: [example]: where its tokens begin and how many there are, by row of the training split
    """

    states: dict[int, Tensor]
    teacher: Tensor
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    def at(self, micro: MicroBatch) -> Iterator[tuple[int, EncoderState]]:
        """The state after each kept exit's layer, as the backbone would have given it but for what lies in padding."""
        batch, rows = _tokens(micro), _rows(micro)
        tokens = batch.input_ids
        places = np.minimum(np.arange(tokens.shape[1]), self.lengths[rows][:, None] - 1) + self.starts[rows][:, None]
        index = torch.from_numpy(places).to(tokens.device).flatten()
        padding = None if batch.attention_mask is None else batch.attention_mask.bool()
        for number, states in self.states.items():
            hidden = states.index_select(0, index).view(*tokens.shape, states.shape[1])
            yield number, EncoderState(hidden, padding=padding, normed=True)

    def teacher_logits(self, micro: MicroBatch) -> Tensor:
        """[example, class]: what the last exit said."""
        return self.teacher[torch.from_numpy(_rows(micro)).to(self.teacher.device)]


def filled(context: EpochContext, exits: Sequence[int], tokens: int) -> StateCache:
    """A cache of the states after the layers of `exits`, without dropout and gradients; leaves the model in eval mode.

    tokens: of the whole training split. The order of the examples is that of `context.batches()`, always the same, so
    that a cache made again after a pause is equal to the last bit.
    """
    model = context.model.eval()
    kept: dict[int, Tensor] = {}
    rows: list[npt.NDArray[np.int64]] = []
    lengths: list[npt.NDArray[np.int64]] = []
    said: list[Tensor] = []
    done = 0
    exit_at = {model.exit_layers[number - 1]: number for number in exits}
    for micro in context.batches():
        real = _real(micro)
        size = int(real.sum())
        with torch.no_grad(), context.precision():
            state = model.backbone.embed(micro.inputs)
            for layer in range(1, model.exit_layers[-1] + 1):
                state = model.backbone.layer(layer - 1, state)
                if layer in exit_at:
                    number, hidden = exit_at[layer], model.backbone.seen(state)[real]
                    if number not in kept:
                        kept[number] = hidden.new_empty(tokens, hidden.shape[-1])
                    kept[number][done : done + size] = hidden
            said.append(model.exit_logits(model.num_exits, state))
        rows.append(_rows(micro))
        lengths.append(real.sum(dim=1).cpu().numpy())
        done += size
    return _in_rows(kept, torch.cat(said), np.concatenate(rows), np.concatenate(lengths))


def _in_rows(
    kept: dict[int, Tensor], said: Tensor, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> StateCache:
    """The cache by rows of the training split, from what was kept in the order of the batches."""
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(rows)
    return StateCache(kept, said[torch.from_numpy(order).to(said.device)], starts[order], lengths[order])


def _real(micro: MicroBatch) -> Tensor:
    """Bool [example, token], True where there is a token; tokens come first, padding after them."""
    ids, mask = _tokens(micro).input_ids, _tokens(micro).attention_mask
    return torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()


def _tokens(micro: MicroBatch) -> TokenBatch:
    if not isinstance(micro.inputs, TokenBatch):
        raise ValueError("states of images are not kept")
    return micro.inputs


def _rows(micro: MicroBatch) -> npt.NDArray[np.int64]:
    if micro.indices is None:
        raise ValueError("kept states are found by the examples' rows of the training split, and this batch has none")
    return micro.indices
