"""RomeBERT (Geng et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from greenexp.methods.base import Method, MethodRun, Stage, StepContext, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.objectives import distillation_matrix, exit_losses
from greenexp.records.costs import Part, Pass

Gradients = list[Tensor | None]


@dataclass(frozen=True)
class RomeBert(Method):
    """Self-distillation, and gradient regularisation: the exits' gradient may not work against the last one's.

    Formula: L = L_last + L_multi, L_last = CE_M, L_multi = sum_{i<M} [(1 - gamma) CE_i + gamma T^2 KL(p_t || p_i)] with
    p = softmax(z / T), the teacher t = M a constant. With g_last and g_multi their gradients on the layers' weight
    matrices, laid end to end: g_multi <- g_multi - min(<g_multi, g_last> / |g_last|^2, 0) g_last, and the step takes
    g_last + g_multi.
    Symbols: i = 1..M the exits, z_i logits, CE_i the mean cross-entropy, T temperature.
    Source: Geng et al. 2021, arXiv 2101.09755; repository romebert/RomeBERT@b4eb26bf.
    Official hyperparameters: gamma 0.9, T 3; learning rate 2e-5, batch 8, 3 epochs with BERT and 10 with RoBERTa; a
    pooler per exit.
    Departures of the official code, and what we do:
    * Its KL is averaged over the classes too (`reduction: mean`), so distillation weighs less the more classes there
      are. The default is the KL divergence itself.
    * On all tasks but MNLI and QQP the roles are swapped: the last exit's gradient gives way (`project: last`). The
      default is the paper's formula.
    * Matrices that only one of the losses reaches, as those of the last layer, are left alone. The official code
      leaves out layer 12 by its number, also of 24; and LayerNorms and biases, as we do, whose gradients just add up.
    * Accumulated gradients are projected once, over the whole batch; the official code does it at every micro-batch.
    * Its own last internal classifier, beside the final one, is never trained and yet consulted; here there is one.
    Classification only: a regression task is refused.
    Passes: one forward through all exits; one backward from the last exit, one from all others. With `project: none`
    one backward through all.

    gamma: weight of distillation against the labels, of the exits below the last
    temperature: T
    teacher: `last` t = M; `next` t = i + 1, the official code's variant by teacher assistants
    reduction: of the KL: `batchmean` over the examples; `mean` over examples and classes, as official
    project: whose gradient gives way, the one of the exits (`multi`) or that of the `last` one; `none` adds them up
    """

    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "pooled"}, "backbone.pooling": "pooler"}

    gamma: Annotated[float, Field(ge=0, le=1)] = 0.9
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3.0
    teacher: Literal["last", "next"] = "last"
    reduction: Literal["batchmean", "mean"] = "batchmean"
    project: Literal["multi", "last", "none"] = "multi"

    def begin(self, shape: TrialShape) -> RomeBertRun:
        """See `Method.begin`."""
        refuse_regression("romebert", shape)
        return RomeBertRun(shape, self)


class RomeBertRun(MethodRun):
    """One trial of `RomeBert`."""

    def __init__(self, shape: TrialShape, method: RomeBert) -> None:
        super().__init__(shape)
        self._method = method
        self._stage = Stage(1, 1, shape.epochs, exits=shape.exits)
        self._projects = method.project != "none" and len(shape.exits) > 1

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:
        """See `MethodRun.passes`."""
        if not self._projects:
            return super().passes(epoch, step)
        exits = self.shape.exits
        return (Pass(exits, backward=(exits[-1:], exits[:-1])),)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.loss`: L_last + L_multi."""
        return self.last(logits[-1], labels) + self.multi(logits, labels)

    def last(self, logits: Tensor, labels: Tensor) -> Tensor:
        """L_last; logits: [example, class] of the last exit."""
        return exit_losses(logits.unsqueeze(0), labels).sum()

    def multi(self, logits: Tensor, labels: Tensor) -> Tensor:
        """L_multi; logits: [exit, example, class] of all exits, the last one's constant."""
        method, exits = self._method, len(logits)
        supervised = exit_losses(logits[:-1], labels).sum() if exits > 1 else logits.new_zeros(())
        divergences = distillation_matrix(logits, method.temperature, "kl")
        taught = (divergences[:-1, -1] if method.teacher == "last" else divergences.diagonal(offset=1)).sum()
        if method.reduction == "mean":
            taught = taught / logits.shape[-1]
        return (1 - method.gamma) * supervised + method.gamma * taught

    def step(self, context: StepContext) -> Tensor:
        """Two backward passes from one forward, their gradients on the layers' matrices kept apart until all are in."""
        if not self._projects:
            return super().step(context)
        layers = context.model.part_parameters(Part.LAYERS)
        matrices = [weight for weight in layers if weight.ndim > 1 and weight.requires_grad]
        last: Gradients = [None] * len(matrices)
        multi: Gradients = [None] * len(matrices)
        total: Tensor | None = None
        for micro in context.batch:
            logits = context.outputs(micro.inputs, self.shape.exits).logits
            losses = (
                micro.share * self.last(logits[-1], micro.labels),
                micro.share * self.multi(torch.stack((*logits[:-1], logits[-1].detach())), micro.labels),
            )
            losses[0].backward(retain_graph=True)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            _move(matrices, last)
            losses[1].backward()  # type: ignore[no-untyped-call]
            _move(matrices, multi)
            loss = (losses[0] + losses[1]).detach()
            total = loss if total is None else total + loss
        if total is None:
            raise ValueError("a step without a batch")
        first, second = (multi, last) if self._method.project == "multi" else (last, multi)
        for matrix, gradient in zip(matrices, united(first, second), strict=True):
            matrix.grad = gradient
        context.update(total)
        return total


def _move(parameters: list[nn.Parameter], gradients: Gradients) -> None:
    """Add the parameters' gradients to `gradients`, and take them away from the parameters."""
    for place, parameter in enumerate(parameters):
        known, new, parameter.grad = gradients[place], parameter.grad, None
        gradients[place] = new if known is None else known if new is None else known.add_(new)


def united(yielding: Gradients, firm: Gradients) -> Gradients:
    """`yielding`, without what in it works against `firm`, plus `firm`; None where there is neither.

    y <- y - min(<y, f> / |f|^2, 0) f, over the parameters that have both gradients, laid end to end.
    """
    pairs = [(y, f) for y, f in zip(yielding, firm, strict=True) if y is not None and f is not None]
    if not pairs:
        return [f if y is None else y for y, f in zip(yielding, firm, strict=True)]
    product = torch.stack([(y * f).sum() for y, f in pairs]).sum()
    square = torch.stack([f.square().sum() for _, f in pairs]).sum()
    against = (product / square.clamp_min(torch.finfo(square.dtype).tiny)).clamp_max(0)
    return [
        (f if y is None else y) if y is None or f is None else y + (1 - against) * f
        for y, f in zip(yielding, firm, strict=True)
    ]
