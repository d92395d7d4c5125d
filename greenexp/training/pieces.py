"""A batch computed piece by piece, with the numbers of the whole one: as it does not fit into memory, or by processes.

A step's objective is a mean over examples, so that the pieces' gradients add up to the batch's. What stands in the way
is dropout: the masks of two pieces are not the two halves of the mask of both. So every piece is padded as the whole
is, every piece begins with the random number generators where the whole would have begun, and every mask is drawn for
the whole and cut. What is left of a difference is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from greenexp.errors import TrialError
from greenexp.methods.base import MethodRun, MicroBatch
from greenexp.training.isolation import GeneratorStates

DRAWS = frozenset({
    "alpha_dropout", "bernoulli", "bernoulli_", "dropout1d", "dropout2d", "dropout3d", "exponential_",
    "feature_alpha_dropout", "feature_dropout", "multinomial", "native_dropout", "normal", "normal_", "poisson",
    "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "random_", "randperm", "rrelu", "uniform_",
})  # fmt: skip
"""Names of torch's functions that draw otherwise than `functional.dropout` does."""


def why_undivided(model: nn.Module, method: MethodRun, device: torch.device) -> str:
    """Why batches of this model and method cannot be divided to the same numbers; empty if they can."""
    if not method.divides:
        return f"{type(method).__name__} says that its step is not the same over pieces of its batch"
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        return "its batch normalisation takes means over the whole batch"
    if device.type != "cpu" and any(map(drops, model.modules())):
        return "on a GPU the dropout masks of a whole batch cannot be drawn for a part of it"
    return ""


def drops(module: nn.Module) -> bool:
    """Whether it has a dropout, of its own or handed to an attention kernel as a probability."""
    if isinstance(module, _DropoutNd):
        return module.p > 0
    return any("dropout" in name and isinstance(value, float) and value > 0 for name, value in vars(module).items())


class WholeDraws(TorchFunctionMode):
    """While it is entered, dropout of a piece is that of the whole, cut; `DividedBatch` says which piece it is."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._whole = self._first = self._count = 0
        self._before = GeneratorStates.now(device)
        self._after: GeneratorStates | None = None

    def begin_whole(self) -> None:
        """What follows are pieces of another whole."""
        self._before, self._after = GeneratorStates.now(self._device), None

    def begin(self, whole: int, first: int, count: int) -> None:
        """What follows is of examples `first` to `first + count` of `whole`."""
        self._whole, self._first, self._count = whole, first, count
        self._before.apply(self._device)

    def end(self) -> None:
        """What follows is of no piece. Raises TrialError where pieces did not draw the same numbers."""
        self._whole = 0
        now = GeneratorStates.now(self._device)
        if self._after is not None and not now.same_as(self._after):
            raise TrialError("the method draws random numbers of its own, so that its batches cannot be divided")
        self._after = now

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What torch calls in the place of each of its functions."""
        options = kwargs or {}
        if self._whole and func is functional.dropout:
            return self._dropout(*args, **options)
        if self._whole and func is functional.scaled_dot_product_attention:
            return self._attention(*args, **options)
        if self._whole and getattr(func, "__name__", "") in DRAWS:
            raise TrialError(f"the model draws by {func.__name__}, so that its batches cannot be divided")
        return func(*args, **options)

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return values
        if values.shape[0] != self._count:
            raise TrialError("dropout of something else than a tensor of examples: the batches cannot be divided")
        ones = _ones(values, self._whole)
        # A copy, so that the backward pass keeps no more than the piece's own part.
        mask = functional.dropout(ones, p)[self._first : self._first + self._count].clone()
        return values.mul_(mask) if inplace else values * mask

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        """softmax(Q K^T / sqrt(d) + mask), dropped out, times V: what torch computes on a CPU if there is dropout."""
        if dropout_p == 0:
            return functional.scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, **options)
        if is_causal or options.get("enable_gqa"):
            raise TrialError("dropout of causal or grouped attention: the batches cannot be divided")
        kind = query.device.type
        narrow = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype
        wide = torch.promote_types(narrow, torch.float32)
        scale = options.get("scale")
        scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        with torch.autocast(kind, enabled=False):
            q, k, v = (one.to(narrow).to(wide) for one in (query, key, value))
            scores = q @ k.transpose(-2, -1) * scale
            if attn_mask is not None:
                is_bool = attn_mask.dtype == torch.bool
                scores = scores.masked_fill(~attn_mask, -math.inf) if is_bool else scores + attn_mask.to(wide)
            return (self._dropout(torch.softmax(scores, dim=-1), dropout_p) @ v).to(narrow)


def _ones(values: Tensor, rows: int) -> Tensor:
    """Ones for `rows` rows in the memory layout of `values`: masks are drawn in the order of the memory."""
    shape = (rows, *values.shape[1:])
    strides = values.stride()
    order = sorted(range(values.ndim), key=lambda axis: -strides[axis])
    ones = values.new_ones([shape[axis] for axis in order])
    return ones.permute([order.index(axis) for axis in range(values.ndim)])


class PieceBounds(NamedTuple):
    """Examples `first` to `end` of a micro-batch.

    is_own: whether this process computes them; copies: processes that do
    """

    first: int
    end: int
    is_own: bool = True
    copies: int = 1


@dataclass(frozen=True, eq=False, slots=True)
class BatchPiece:
    """A part of a micro-batch that is computed at once.

    first: number of its first example in the whole; examples, length: its padded shape
    is_own: whether this process computes it; read: makes it
    """

    first: int
    examples: int
    length: int
    read: Callable[[], MicroBatch]
    is_own: bool = True


class DividedBatch(Sequence[MicroBatch]):
    """A step's micro-batches, each in pieces, of which it holds those of this process.

    Going over them says to `draws` which piece is computed; whoever wants to look at them only takes them by number.

    wholes: per micro-batch as it would be computed if it fitted, its pieces in order, those of other processes too
    draws: told which piece is computed; None: nobody needs to know
    """

    def __init__(self, wholes: Sequence[Sequence[BatchPiece]], draws: WholeDraws | None) -> None:
        self._wholes, self._draws = wholes, draws
        self._pieces = [piece for whole in wholes for piece in whole if piece.is_own]
        self._known: dict[BatchPiece, MicroBatch] = {}

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(examples, padded length) of the whole micro-batches: what a batch costs does not depend on its pieces."""
        return [(sum(piece.examples for piece in whole), whole[0].length) for whole in self._wholes if whole]

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, index: int) -> MicroBatch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MicroBatch]: ...
    def __getitem__(self, index: int | slice) -> MicroBatch | Sequence[MicroBatch]:
        if isinstance(index, slice):
            return [self._read(piece) for piece in self._pieces[index]]
        return self._read(self._pieces[index])

    def __iter__(self) -> Iterator[MicroBatch]:
        for whole in self._wholes:
            examples = sum(piece.examples for piece in whole)
            if self._draws is not None:
                self._draws.begin_whole()
            for piece in whole:
                if piece.is_own:
                    yield from self._computed(piece, examples)

    def _computed(self, piece: BatchPiece, whole: int) -> Iterator[MicroBatch]:
        if self._draws is not None:
            self._draws.begin(whole, piece.first, piece.examples)
        yield self._read(piece)
        if self._draws is not None:
            self._draws.end()

    def _read(self, piece: BatchPiece) -> MicroBatch:
        if piece not in self._known:
            self._known[piece] = piece.read()
        return self._known[piece]
