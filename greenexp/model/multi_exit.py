"""`MultiExitModel`: one encoder, an internal classifier after some of its layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from greenexp.backbones.base import Backbone, EncoderState, InputBatch
from greenexp.compression.int8_modules import HeldInInt8
from greenexp.errors import InputError
from greenexp.exits.base import ExitHead, ExitInput
from greenexp.exits.learned import LearnedExit
from greenexp.meters.flops import forward_flops
from greenexp.model.equilibrium import scaled_gradient
from greenexp.records.costs import ALL_PARTS, ModelCosts, Part
from greenexp.records.settings import ModelSettings
from greenexp.replay.record import ExitCosts


@dataclass(frozen=True, slots=True)
class ExitOutputs:
    """What the computed exits say, in their order.

    logits: per exit [example, class], float32 or wider
    learned: per exit [example], the learning-to-exit module's outputs in [0, 1], 1 = go on; None without such a module
    tokens: per exit [example, place, token id], logits at the batch's places, float32 or wider; None without places
    """

    logits: tuple[Tensor, ...]
    learned: tuple[Tensor, ...] | None = None
    tokens: tuple[Tensor, ...] | None = None


class MultiExitModel(nn.Module):
    """A backbone and one head per exit.

    backbone: the encoder; heads: in the order of the exits; exit_layers: layer of each exit, ascending, from 1
    num_labels: classes, 1 for regression; settings: what it was built from
    learned: the learning-to-exit module, shared by the exits; None without one
    """

    def __init__(
        self,
        backbone: Backbone,
        heads: Sequence[ExitHead],
        exit_layers: Sequence[int],
        num_labels: int,
        settings: ModelSettings,
        learned: LearnedExit | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(heads)
        self.exit_layers = tuple(exit_layers)
        self.num_labels = num_labels
        self.learned = learned
        self.settings = settings

    @property
    def num_exits(self) -> int:
        """How many exits there are; they are numbered from 1."""
        return len(self.exit_layers)

    @property
    def exits(self) -> tuple[int, ...]:
        """All exit numbers."""
        return tuple(range(1, self.num_exits + 1))

    def head(self, exit_number: int) -> ExitHead:
        """The head of an exit (from 1)."""
        return cast(ExitHead, self.heads[exit_number - 1])

    def forward(
        self, batch: InputBatch, exits: Sequence[int] | None = None, layers: Collection[int] | None = None
    ) -> Tensor:
        """Logits [exit, example, class] of `exits` (numbers from 1, ascending; None: all), float32 or wider.

        No layer above the last of them runs, and no other head. layers: see `outputs`.
        Raises InputError for numbers that are not exits.
        """
        return torch.stack(self.outputs(batch, exits, layers=layers).logits)

    def each_exit(self, batch: InputBatch, exits: Sequence[int] | None = None) -> tuple[Tensor, ...]:
        """`forward` with the exits' logits apart, each [example, class].

        For a backward pass from some of the computed exits: through the stacked tensor it would run through all of
        them, carrying zeros.
        """
        return self.outputs(batch, exits).logits

    def outputs(
        self,
        batch: InputBatch,
        exits: Sequence[int] | None = None,
        *,
        equilibrium: bool = False,
        layers: Collection[int] | None = None,
        visit: Callable[[int, EncoderState], None] | None = None,
    ) -> ExitOutputs:
        """Everything `exits` (numbers from 1, ascending; None: all) say, apart.

        equilibrium: whether the gradients of the computed exits are balanced, see `model.equilibrium`
        layers: those that run, from 1; the state passes the others as it is; None: all up to that of the last exit
        visit: is given every layer (0: the embeddings) and the state after it
        """
        wanted = self._checked(exits)
        rank_at = {self.exit_layers[number - 1]: rank for rank, number in enumerate(wanted)}
        remembers = any(self.head(number).reads_earlier for number in wanted)
        state = self.backbone.embed(batch)
        if visit is not None:
            visit(0, state)
        earlier: tuple[Tensor, ...] = ()
        said: list[tuple[Tensor, Tensor | None]] = []
        tokens: list[Tensor] = []
        for layer in range(1, self.exit_layers[wanted[-1] - 1] + 1):
            if layers is None or layer in layers:
                state = self.backbone.layer(layer - 1, state)
            if visit is not None:
                visit(layer, state)
            rank = rank_at.get(layer)
            if equilibrium and rank is not None:
                state = _scaled(state, 1 / (len(wanted) - rank))
            if remembers:
                # What later exits read here must be scaled like what they read above, and no exit may have done it.
                read = _scaled(state, 1 / (len(wanted) - len(said))) if equilibrium and rank is None else state
                earlier = (*earlier, self.backbone.pool(read))
            if rank is not None:
                said.append(self.exit_output(wanted[rank], state, earlier))
                if batch.places is not None:
                    tokens.append(self.token_logits(wanted[rank], state, batch.places))
                if equilibrium:
                    state = _scaled(state, len(wanted) - rank - 1)
        learned = tuple(value for _, value in said if value is not None)
        return ExitOutputs(
            tuple(logits for logits, _ in said),
            learned if self.learned is not None else None,
            None if batch.places is None else tuple(tokens),
        )

    def exit_logits(self, exit_number: int, state: EncoderState, earlier: tuple[Tensor, ...] = ()) -> Tensor:
        """Logits [example, class] of one exit from the state after its layer, float32 or wider.

        earlier: the shared pooling after each layer up to this one, for a head that reads it
        """
        head = self.head(exit_number)
        pooled = self._pooled(state, earlier) if head.reads_pooled else None
        hidden = self.backbone.seen(state)
        return _widened(head(ExitInput(hidden, state.padding, pooled, earlier if head.reads_earlier else ())))

    def exit_output(
        self, exit_number: int, state: EncoderState, earlier: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """`exit_logits`, and what the learning-to-exit module says there, [example]; None without one."""
        if self.learned is None:
            return self.exit_logits(exit_number, state, earlier), None
        head, pooled = self.head(exit_number), self._pooled(state, earlier)
        hidden = self.backbone.seen(state)
        seen = ExitInput(hidden, state.padding, pooled, earlier if head.reads_earlier else ())
        return _widened(head(seen)), self.learned(pooled)

    def token_logits(self, exit_number: int, state: EncoderState, places: Tensor) -> Tensor:
        """Logits [example, place, token id] of one exit from the state after its layer, float32 or wider.

        places: int64 [example, place]
        """
        hidden = self.backbone.seen(state)
        there = hidden.gather(1, places.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
        return _widened(self.head(exit_number).token_logits(there, self._token_embeddings()))

    def _token_embeddings(self) -> Tensor:
        """[token id, width]."""
        owner, name = self.backbone.token_table()
        return cast(nn.Embedding, getattr(owner, name)).weight

    @property
    def predicts_tokens(self) -> bool:
        """Whether the exits also predict masked tokens."""
        return all(self.head(number).predicts_tokens for number in self.exits)

    def _pooled(self, state: EncoderState, earlier: tuple[Tensor, ...]) -> Tensor:
        return earlier[-1] if earlier else self.backbone.pool(state)

    def exit_state(self) -> dict[str, Tensor]:
        """Weights of the heads, `<index from 0>.<name>`, and of the learning-to-exit module, `learned.<name>`."""
        state = dict(self.heads.state_dict())
        if self.learned is not None:
            state |= {f"learned.{name}": value for name, value in self.learned.state_dict().items()}
        return state

    def load_exit_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over an `exit_state`. Raises RuntimeError if it does not fit."""
        learned = {name.removeprefix("learned."): value for name, value in state.items() if name.startswith("learned.")}
        self.heads.load_state_dict({name: value for name, value in state.items() if not name.startswith("learned.")})
        if self.learned is not None:
            self.learned.load_state_dict(learned)
        elif learned:
            raise RuntimeError("weights of a learning-to-exit module, which this model does not have")

    def part_parameters(self, part: Part) -> tuple[nn.Parameter, ...]:
        """The parameters of one part of the model; the parts cover all of them, each once."""
        parameters: Iterable[nn.Parameter] = {
            Part.EMBEDDINGS: self.backbone.embedding_parameters,
            Part.LAYERS: self.backbone.layer_parameters,
            Part.POOLER: self.backbone.pooler_parameters,
            Part.HEADS: self._head_parameters,
        }[part]()
        return tuple(parameters)

    def _head_parameters(self) -> Iterable[nn.Parameter]:
        return (*self.heads.parameters(), *(() if self.learned is None else self.learned.parameters()))

    def embedding_parameters(self) -> tuple[nn.Parameter, ...]:
        """What `training.freeze_embeddings` freezes."""
        return self.part_parameters(Part.EMBEDDINGS)

    def train_only(self, parts: Collection[Part], exits: Collection[int] | None = None) -> tuple[nn.Parameter, ...]:
        """Let `parts`, and of the heads those of `exits` (None: all), need gradients and nothing else; return them."""
        for part in ALL_PARTS:
            for parameter in self.part_parameters(part):
                parameter.requires_grad_(part in parts)
        for number in self.exits:
            if exits is not None and number not in exits:
                self.head(number).requires_grad_(False)
        return tuple(parameter for parameter in self.parameters() if parameter.requires_grad)

    def parameter_count(self) -> int:
        """Numbers in the weights of the whole model, all exits; a weight shared between layers once."""
        return self.weights()[0]

    def weight_bytes(self) -> int:
        """Bytes of these numbers in the types in which they are held, and saved; scales of 8-bit weights included."""
        return self.weights()[1]

    def weights(self) -> tuple[int, int]:
        """(numbers, bytes) of the weights; see `parameter_count` and `weight_bytes`."""
        held: dict[int, Tensor] = {id(tensor): tensor for tensor in self.parameters()}
        scales = {}
        for module in self.modules():
            if isinstance(module, HeldInInt8):
                held |= {id(tensor): tensor for tensor in module.numbers}
                scales[id(module.scale)] = module.scale
        size = sum(tensor.numel() * tensor.element_size() for tensor in (*held.values(), *scales.values()))
        return sum(tensor.numel() for tensor in held.values()), size

    def costs(self, batch_size: int, length: int) -> ModelCosts:
        """Forward costs of every block for `batch_size` examples padded to `length`."""
        heads = [self.head(number) for number in self.exits]
        return ModelCosts(
            encoder=self.backbone.matmuls(batch_size, length),
            exit_layers=self.exit_layers,
            heads=tuple(head.matmuls(batch_size, length) for head in heads),
            pooled=tuple(head.reads_pooled or self.learned is not None for head in heads),
            earlier=tuple(head.reads_earlier for head in heads),
            learned=() if self.learned is None else self.learned.matmuls(batch_size),
        )

    def exit_flops(self, length: int) -> tuple[int, ...]:
        """Per exit: FLOPs of one example of `length` tokens, unpadded, answered there, no other exit evaluated."""
        costs = self.costs(1, length)
        return tuple(forward_flops(costs, (number,)) for number in self.exits)

    def inference_flops(self, lengths: ArrayLike, exit_number: int) -> NDArray[np.int64]:
        """[example]: FLOPs of answering each example at `exit_number`, at its real length in tokens."""
        (number,) = self._checked((exit_number,))
        distinct, inverse = np.unique(np.asarray(lengths), return_inverse=True)
        flops = [forward_flops(self.costs(1, int(length)), (number,)) for length in distinct]
        return np.asarray(flops, dtype=np.int64)[inverse]

    def exit_costs(self, lengths: ArrayLike, exits: Sequence[int] | None = None) -> ExitCosts:
        """What leaving at each of `exits` (None: all) costs at every length that occurs, for replay.

        Dynamic costs evaluate those of `exits` that lie below, and no other one.
        """
        wanted = self._checked(exits)
        distinct = np.unique(np.asarray(lengths, dtype=np.int64))
        by_length = [self.costs(1, int(length)) for length in distinct]
        return ExitCosts(
            layers=np.array([self.exit_layers[number - 1] for number in wanted]),
            lengths=distinct,
            static_flops=np.array([[forward_flops(costs, (number,)) for costs in by_length] for number in wanted]),
            dynamic_flops=np.array(
                [[forward_flops(costs, wanted[:count]) for costs in by_length] for count in range(1, len(wanted) + 1)]
            ),
            encoder_layers=self.backbone.num_layers,
        )

    def _checked(self, exits: Sequence[int] | None) -> tuple[int, ...]:
        wanted = self.exits if exits is None else tuple(exits)
        if not wanted or list(wanted) != sorted(set(wanted)) or wanted[0] < 1 or wanted[-1] > self.num_exits:
            raise InputError(f"exits {list(wanted)}: expected ascending numbers from 1 to {self.num_exits}, each once")
        return wanted


def _scaled(state: EncoderState, factor: float) -> EncoderState:
    return dataclasses.replace(state, hidden=scaled_gradient(state.hidden, factor))


def _widened(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in {torch.bfloat16, torch.float16} else logits
