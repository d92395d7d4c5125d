"""TinyBERT's distillation in two stages (Jiao et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from greenexp.backbones.base import Backbone, EncoderState
from greenexp.backbones.parts import LayerParts
from greenexp.errors import InputError
from greenexp.methods.base import Method, MicroBatch, Stage, StepContext, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.methods.depth import check_depth, cut_to
from greenexp.methods.distillation import Start, starting_layers
from greenexp.methods.taught import TaughtRun
from greenexp.model import MultiExitModel
from greenexp.objectives.knowledge import Reduction, score_distance, soft_cross_entropy, state_distance
from greenexp.records.costs import ALL_PARTS, Part, Pass
from greenexp.records.settings import ModelSettings

ENCODER = frozenset({Part.EMBEDDINGS, Part.LAYERS})


@dataclass(frozen=True)
class TinyBert(Method):
    """TinyBERT: a student learns its teacher's embeddings, attention scores and states first, then its answers.

    Formula: first stage L = MSE(E_s W, E_t) + sum_m [MSE(H_s^m W, H_t^g(m)) + MSE(A_s^m, A_t^g(m))], m = 1..M; second
    stage L = -sum_k p_t[k] log p_s[k], p = softmax(z / T), of the last exit.
    Symbols: E what the first layer reads, H^m the states after layer m, A^m = Q K^T / sqrt(d) its attention scores per
    head before mask and softmax, z logits, of student s and teacher t (constant, without dropout), M and N layers of
    student and teacher, g(m) = floor(m N / M), W a learned projection to the teacher's width.
    Source: Jiao et al., Findings of EMNLP 2020, eq. 5 to 11; huawei-noah/Pretrained-Language-Model, TinyBERT.
    Official hyperparameters: 20 epochs of the first stage (10 for large tasks) at learning rate 5e-5, 3 of the second
    at 2e-5 or 3e-5, batch 32, T 1; 4 layers of width 312 or 6 of 768 with the 12 heads of the teacher.
    Departures: the student begins from the backbone of the sweep file, or new, and not from one that was distilled in
    pre-training, and the training set is not augmented. Means are over real tokens, and over the examples; the official
    code takes padding in. W, one matrix with a bias for all states as in the official code, is there where the widths
    differ alone. Attention scores are compared without additive positions.
    Until the second stage no exit is trained: scores reported before are those of a new exit.
    Classification only: a regression task is refused.
    Passes: forward of the teacher, forward and backward of the student; in the first stage both without exits, and with
    a second product of queries and keys in each compared layer.

    teacher: folder of a sweep, whose chosen model it is, or of a model, relative to the working directory
    layers: number of layers of the student, the first of the backbone's; None: all of the backbone's
    hidden, heads, intermediate: of a new, narrower student, with `layers` layers in the place of the backbone's source,
        whose tokeniser stays; heads as many as the teacher's where `attention` is on. None: those of the backbone
    initial: what the student starts from: evenly `spread` layers of the teacher, its `first` ones, its own `backbone`
    intermediate_share: share of the epochs that the first stage has, at most all but one
    attention: whether attention scores are compared
    temperature: T; reduction: over the classes of an answer: `batchmean` the sum, `mean` as in the official code
    """

    text_only: ClassVar[str] = "it compares attention and the states of tokens"

    teacher: str
    layers: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[int, Field(ge=1)] | None = None
    heads: Annotated[int, Field(ge=1)] | None = None
    intermediate: Annotated[int, Field(ge=1)] | None = None
    initial: Start = "backbone"
    intermediate_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    attention: bool = True
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    reduction: Reduction = "batchmean"

    def __post_init__(self) -> None:
        if self.hidden is None and (self.heads is not None or self.intermediate is not None):
            raise InputError("tinybert: heads and intermediate are those of a new student: say its hidden, too")
        if self.hidden is not None and self.layers is None:
            raise InputError("tinybert: layers: a new student of width hidden needs its number of layers")
        if self.hidden is not None and self.initial != "backbone":
            raise InputError(f"tinybert: initial: {self.initial}: a student of another width starts from new weights")

    def cautions(self) -> tuple[str, ...]:
        """See `Method.cautions`."""
        if self.intermediate_share == 0:
            return ()
        share = f"{self.intermediate_share:g}"
        return (f"TinyBERT trains no exit in the first {share} of its epochs: scores reported there say nothing.",)

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """See `Method.adapt`."""
        if self.hidden is None:
            return cut_to(settings, self.layers, "tinybert")
        new = settings.with_backbone(
            source=None, layers=self.layers, hidden=self.hidden, heads=self.heads, intermediate=self.intermediate
        )
        exits = settings.layers
        if not isinstance(exits, str) and self.layers is not None:
            exits = (*(layer for layer in exits if layer < self.layers), self.layers)
        return replace(new, layers=exits)

    def begin(self, shape: TrialShape) -> TinyBertRun:
        """See `Method.begin`."""
        refuse_regression("tinybert", shape)
        check_depth(shape, self.layers, "tinybert")
        return TinyBertRun(shape, self)


class TinyBertRun(TaughtRun):
    """One trial of `TinyBert`.

    pairs: (student layer, teacher layer), 0 the embeddings; projection: W, None where the widths are equal
    """

    adds_up = True

    def __init__(self, shape: TrialShape, method: TinyBert) -> None:
        super().__init__("tinybert", shape, method.teacher, "last", starts=method.initial != "backbone")
        self._method = method
        self._depth = self.taught_by.depth
        if shape.num_layers > self._depth:
            raise InputError(f"tinybert: layers: a student of {shape.num_layers} layers of a teacher of {self._depth}")
        self.pairs = tuple((m, m * self._depth // shape.num_layers) for m in range(shape.num_layers + 1))
        first = min(int(method.intermediate_share * shape.epochs + 0.5), shape.epochs - 1)
        stages = [Stage(1, 1, first, self._stage.exits, ENCODER)] if first else []
        self._stages = (*stages, Stage(len(stages) + 1, first + 1, shape.epochs, self._stage.exits, ALL_PARTS))
        width, target = shape.hidden_size, self.teacher_model.backbone.hidden_size
        self.projection = None if width == target else _projection(width, target, shape.seed)

    def initialise(self, model: MultiExitModel) -> None:
        """See `MethodRun.initialise`."""
        super().initialise(model)
        if self._method.attention:
            own, his = (_heads(each.backbone) for each in (model, self.teacher_model))
            compared = [(own[m - 1], his[g - 1]) for m, g in self.pairs[1:]]
            if unequal := next((pair for pair in compared if pair[0] != pair[1]), None):
                raise InputError(
                    f"tinybert: heads: {unequal[0]} attention heads of the student, {unequal[1]} of the teacher: give "
                    "the student as many, or leave the scores out with attention: false"
                )
        if (layers := starting_layers(self._method.initial, model, self.taught_by, "tinybert")) is not None:
            self.start_from_teacher(model, layers)
        if self.projection is not None:
            self.projection.to(next(model.parameters()).device)

    def stage(self, epoch: int) -> Stage:
        """See `MethodRun.stage`."""
        return next(stage for stage in self._stages if epoch <= stage.last_epoch)

    def parameters(self, epoch: int) -> Mapping[str, nn.Parameter]:
        """See `MethodRun.parameters`."""
        if self.projection is None or not self._looks_inside(epoch):
            return {}
        return {f"projection.{name}": value for name, value in self.projection.named_parameters()}

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:
        """See `MethodRun.passes`."""
        if not self._looks_inside(epoch):
            return super().passes(epoch, step)
        exits, compared = self.stage(epoch).exits, self.pairs[1:] if self._method.attention else ()
        his = Pass(
            (self.taught_by.exit,), (), teacher=True, headless=True, scores=tuple(layer for _, layer in compared)
        )
        own = Pass(
            exits, (exits,), ENCODER, headless=True, scores=tuple(layer for layer, _ in compared),
            projected=() if self.projection is None else tuple(layer for layer, _ in self.pairs),
        )  # fmt: skip
        return his, own

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - labels teach nothing
        """Never asked for: see `step`."""
        raise RuntimeError("tinybert learns from its teacher, and not from labels")

    def step(self, context: StepContext) -> Tensor:
        """See `MethodRun.step`."""
        objective = self._inside if self._looks_inside(context.epoch) else self._answers
        return self.descend(context, lambda micro: objective(context, micro))

    def state_dict(self) -> dict[str, Any]:
        """See `MethodRun.state_dict`."""
        if self.projection is None:
            return {}
        return {f"projection.{name}": value for name, value in self.projection.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `MethodRun.load_state_dict`."""
        if self.projection is None:
            super().load_state_dict(state)
            return
        self.projection.load_state_dict({name.removeprefix("projection."): value for name, value in state.items()})

    def _looks_inside(self, epoch: int) -> bool:
        return self.stage(epoch).parts == ENCODER

    def _answers(self, context: StepContext, micro: MicroBatch) -> Tensor:
        taught, logits = self.asked(context, micro), self.tried(context, micro)
        return soft_cross_entropy(logits, taught, self._method.temperature, self._method.reduction).mean()

    def _inside(self, context: StepContext, micro: MicroBatch) -> Tensor:
        """The first stage's loss over one micro-batch."""
        compares = self._method.attention
        own_at, his_at = zip(*self.pairs, strict=True)
        with context.precision():
            with torch.no_grad():
                his, his_scores = _looked_at(self.teacher_model.backbone, micro, his_at, scores=compares)
            own, own_scores = _looked_at(context.model.backbone, micro, own_at, scores=compares)
            states = [state.hidden if self.projection is None else self.projection(state.hidden) for state in own]
        real = own[0].padding
        distances = [state_distance(a, b.hidden, real) for a, b in zip(states, his, strict=True)]
        distances += [score_distance(a, b, real) for a, b in zip(own_scores, his_scores, strict=True)]
        return torch.stack(distances).sum()


def _projection(width: int, target: int, seed: int) -> nn.Linear:
    """W, normal with standard deviation 0.02 as the official code's, drawn from `seed` alone; its bias is 0."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4,)))
    linear = nn.Linear(width, target, device="meta")
    linear.weight = nn.Parameter(torch.from_numpy(rng.normal(scale=0.02, size=(target, width)).astype(np.float32)))
    linear.bias = nn.Parameter(torch.zeros(target))
    return linear


def _heads(backbone: Backbone) -> list[int]:
    """Attention heads of each layer. Raises InputError where the scores cannot be looked at."""
    try:
        return [backbone.layer_parts(index).heads for index in range(backbone.num_layers)]
    except InputError as error:
        raise InputError(
            "tinybert: the attention scores of an encoder whose layers share weights or are no ordinary encoder layers "
            "cannot be compared: attention: false leaves them out"
        ) from error


def _looked_at(
    backbone: Backbone, micro: MicroBatch, layers: Sequence[int], *, scores: bool
) -> tuple[list[EncoderState], list[Tensor]]:
    """The states after `layers` (0: the embeddings), and of those above 0 the scores [example, head, query, key]."""
    found: list[Tensor] = []
    state = backbone.embed(micro.inputs)
    states = [state] if 0 in layers else []
    for layer in range(1, max(layers) + 1):
        if scores and layer in layers:
            with _listening(backbone.layer_parts(layer - 1)) as (query, key, heads):
                state = backbone.layer(layer - 1, state)
            found.append(_scores(query[0], key[0], heads))
        else:
            state = backbone.layer(layer - 1, state)
        if layer in layers:
            states.append(state)
    return states, found


@contextmanager
def _listening(parts: LayerParts) -> Iterator[tuple[list[Tensor], list[Tensor], int]]:
    """What the layer's queries and keys are, once it has run; and how many heads they are of."""
    heard: tuple[list[Tensor], list[Tensor]] = ([], [])
    hooks = [
        linear.register_forward_hook(lambda _, __, output, into=into: into.append(output))
        for linear, into in zip((parts.query, parts.key), heard, strict=True)
    ]
    try:
        yield (*heard, parts.heads)
    finally:
        for hook in hooks:
            hook.remove()


def _scores(query: Tensor, key: Tensor, heads: int) -> Tensor:
    """Q K^T / sqrt(d) per head."""
    examples, tokens, width = query.shape
    q, k = (one.reshape(examples, tokens, heads, width // heads).transpose(1, 2) for one in (query, key))
    return torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(width // heads)
