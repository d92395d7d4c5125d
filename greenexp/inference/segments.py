"""The model cut where exits are consulted, and batches that move through the pieces."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from greenexp.backbones.base import EncoderState, InputBatch, PixelBatch, TokenBatch
from greenexp.errors import InputError
from greenexp.inference.answers import AnyRow, ImageRow, Row
from greenexp.model.multi_exit import MultiExitModel

Precision = Literal["fp32", "bf16", "int8"]
_OF_TORCH = ("fp32", "bf16")
Earlier = tuple[Tensor, ...]
Positions = tuple[Tensor | None, ...]
Climb = Callable[
    [Tensor, Tensor | None, Tensor | None, Positions, Earlier], tuple[Tensor, Earlier, Tensor, Tensor | None]
]


@dataclass(frozen=True, slots=True)
class Climbers:
    """Examples between two segments: all that the layers and exits above will read of them.

    earlier: the shared pooling after each layer so far, each [example, hidden]; empty where no consulted exit reads it
    """

    state: EncoderState
    earlier: Earlier = ()


class Said(NamedTuple):
    """What an exit says of some examples.

    logits: [example, class]; learned: [example], of the learning-to-exit module; None if the model has none
    """

    logits: Tensor
    learned: Tensor | None = None


class Climbing(Protocol):
    """What the engine asks of whoever computes; the methods are described at `Segments`."""

    model: MultiExitModel
    device: torch.device
    precision: Precision

    def __len__(self) -> int:
        """How many segments there are."""

    def computing(self) -> AbstractContextManager[None]:
        """See `Segments.computing`."""

    def embed(self, rows: Sequence[AnyRow], pad_id: int) -> Climbers:
        """See `Segments.embed`."""

    def run(self, index: int, climbers: Climbers) -> tuple[Climbers, Said]:
        """See `Segments.run`."""

    def compacted(self, climbers: Climbers, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Climbers:
        """See `Segments.compacted`."""

    def merged(self, hidden: Sequence[Tensor], earlier: Sequence[Tensor] = ()) -> Climbers:
        """See `Segments.merged`."""


class Segments:
    """The layers between consulted exits, one segment each; nothing above the last of them ever runs.

    model: in evaluation mode, on its device; consulted: exit numbers, ascending
    compiled: whether each segment goes through `torch.compile` (at its first call; batch and length stay variable)
    precision: `bf16` computes as autocast does, from a copy whose linear weights were cast once and not at every call

    Raises InputError for another precision.
    """

    def __init__(
        self, model: MultiExitModel, consulted: Sequence[int], *, compiled: bool = False, precision: Precision = "fp32"
    ) -> None:
        if precision not in _OF_TORCH:
            elsewhere = "; int8 needs the backend onnxruntime" if precision == "int8" else ""
            raise InputError(f"precision {precision!r}: expected {' or '.join(_OF_TORCH)}{elsewhere}")
        self.model = _cast(model) if precision == "bf16" else model
        self.device = next(model.parameters()).device
        self.precision = precision
        ends = [model.exit_layers[number - 1] for number in consulted]
        parts = zip([0, *ends[:-1]], ends, consulted, strict=True)
        remembers = any(model.head(number).reads_earlier for number in consulted)
        self._climbs = [_segment(self.model, *part, remembers=remembers, compiled=compiled) for part in parts]

    def __len__(self) -> int:
        return len(self._climbs)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Everything below runs inside: no gradients, this precision whatever surrounds it."""
        kind, wanted = self.device.type, self.precision == "bf16"
        with torch.inference_mode():
            if not wanted and not torch.is_autocast_enabled(kind):  # entering autocast is not free
                yield
                return
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=wanted):
                yield

    def embed(self, rows: Sequence[AnyRow], pad_id: int) -> Climbers:
        """`rows` before the first layer, padded to the longest of them; no mask where nothing is padded."""
        return Climbers(self.model.backbone.embed(self.batch_of(rows, pad_id)))

    def batch_of(self, rows: Sequence[AnyRow], pad_id: int) -> InputBatch:
        """`rows` on the device, padded on the right to the longest of them."""
        batch = input_batch(rows, pad_id)
        return batch if self.device.type == "cpu" else batch.to(self.device, non_blocking=True)

    def run(self, index: int, climbers: Climbers) -> tuple[Climbers, Said]:
        """Segment `index` (from 0): the examples after it, and what its exit says."""
        state, climb = climbers.state, self._climbs[index]
        hidden, earlier, logits, learned = climb(
            state.hidden, state.mask, state.padding, state.positions, climbers.earlier
        )
        after = EncoderState(hidden, state.mask, state.padding, state.positions)
        return Climbers(after, earlier), Said(logits, learned)

    def compacted(self, climbers: Climbers, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Climbers:
        """`rows` of a batch, cut to the longest of them; without a mask once nothing is padded any more.

        lengths: tokens of each of `rows`. The host knows them, so that the device is not asked.
        """
        longest = int(lengths.max())
        index = torch.from_numpy(rows).to(climbers.state.hidden.device)
        earlier = tuple(pooled.index_select(0, index) for pooled in climbers.earlier)
        padded = bool(lengths.min() < longest)
        return Climbers(self.model.backbone.kept(climbers.state, index, longest, padded=padded), earlier)

    def merged(self, hidden: Sequence[Tensor], earlier: Sequence[Tensor] = ()) -> Climbers:
        """One batch from examples that may have been in different ones.

        hidden: [token, hidden] of each; earlier: [layer, hidden] of each, or nothing
        """
        pooled = torch.stack(list(earlier), dim=1).unbind() if earlier else ()
        regroup = self.model.backbone.regroup
        if len({len(one) for one in hidden}) == 1:
            return Climbers(regroup(torch.stack(list(hidden)), None), pooled)
        padded = nn.utils.rnn.pad_sequence(list(hidden), batch_first=True)
        real = real_tokens(np.array([len(one) for one in hidden]))
        return Climbers(regroup(padded, torch.from_numpy(real.astype(np.int64)).to(padded.device)), pooled)


def _segment(model: MultiExitModel, first: int, last: int, number: int, *, remembers: bool, compiled: bool) -> Climb:
    """Layers `first` (from 0) to `last` (excluded) and the exit `number` after them.

    remembers: whether every layer's pooled vectors are kept for exits that read them
    """

    def climb(
        hidden: Tensor, mask: Tensor | None, padding: Tensor | None, positions: Positions, earlier: Earlier
    ) -> tuple[Tensor, Earlier, Tensor, Tensor | None]:
        state = EncoderState(hidden, mask, padding, positions)
        for index in range(first, last):
            state = model.backbone.layer(index, state)
            if remembers:
                earlier = (*earlier, model.backbone.pool(state))
        return state.hidden, earlier, *model.exit_output(number, state, earlier)

    if not compiled:
        return climb
    # The compiler counts variants (alone or not, padded or not) by code object and gives up after a few: each segment
    # needs one of its own.
    code = climb.__code__.replace(co_name=f"climb_to_exit_{number}")
    own: Climb = FunctionType(code, climb.__globals__, code.co_name, None, climb.__closure__)
    return torch.compile(own, dynamic=True)


def input_batch(rows: Sequence[AnyRow], pad_id: int) -> InputBatch:
    """`rows`, all of one kind, on the CPU. Raises InputError for images of several sizes."""
    images = [row for row in rows if isinstance(row, ImageRow)]
    if not images:
        return padded_batch([row for row in rows if isinstance(row, Row)], pad_id)
    if len({image.length for image in images}) > 1:
        raise InputError("the images of a batch must have one size")
    return PixelBatch(torch.from_numpy(np.stack([image.pixels for image in images])))


def padded_batch(rows: Sequence[Row], pad_id: int) -> TokenBatch:
    """`rows` on the CPU, padded on the right to the longest of them; no mask where nothing is padded."""
    return _single(rows[0]) if len(rows) == 1 else _batch(rows, pad_id)


def _single(row: Row) -> TokenBatch:
    types = None if row.type_ids is None else torch.from_numpy(row.type_ids).unsqueeze(0)
    return TokenBatch(torch.from_numpy(row.ids).unsqueeze(0), None, types)


def _batch(rows: Sequence[Row], pad_id: int) -> TokenBatch:
    lengths = np.array([row.length for row in rows])
    ids = np.full((len(rows), lengths.max()), pad_id, dtype=np.int64)
    types = None if all(row.type_ids is None for row in rows) else np.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : row.length] = row.ids
        if types is not None and row.type_ids is not None:
            types[place, : row.length] = row.type_ids
    mask = None if (lengths == ids.shape[1]).all() else real_tokens(lengths).astype(np.int64)
    tensors = (None if array is None else torch.from_numpy(array) for array in (mask, types))
    return TokenBatch(torch.from_numpy(ids), *tensors)


def real_tokens(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """[example, token]: where there is a token, of examples with these numbers of tokens."""
    real: npt.NDArray[np.bool_] = np.arange(lengths.max()) < lengths[:, None]
    return real


def _cast(model: MultiExitModel) -> MultiExitModel:
    """A copy whose linear layers hold bf16 weights: what autocast would make of them at every single call."""
    own = copy.deepcopy(model)
    for module in own.modules():
        if isinstance(module, nn.Linear):
            module.bfloat16()
    return own
