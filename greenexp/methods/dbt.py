"""Distillation-based training (Phuong & Lampert 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import Method, MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.objectives import distillation_matrix, exit_losses


@dataclass(frozen=True)
class Dbt(Method):
    """Distillation-based training: the last exit teaches the others, ever softer.

    Formula: L = S [(1 - C) sum_{m=1}^M CE_m + C T^2 sum_{m<M} CE(p_M, p_m)] with p = softmax(z / T); after a step on
    whose batch the mean over the examples of max_k p_M[k] exceeded `confidence`, T <- `annealing` T.
    Symbols: M exits, z_m logits, CE_m the mean cross-entropy to the labels, T temperature, S = 10 / M.
    Source: Phuong & Lampert, ICCV 2019; repository mary-phuong/multiexit-distillation@faff910e.
    Official hyperparameters: C 0.5, T from 1 on, annealing 1.05, confidence 0.5; image classification, 100 classes up;
    SGD with Nesterov momentum 0.9, learning rate 0.1, divided by 10 after epochs 150 and 225 of 300, batch 64.
    Departures: trained as the section `training` says, by default AdamW with warm-up and a linear fall.
    With two
    classes max_k p[k] is never below 0.5, so the official rule would multiply T at every step until nothing but
    rounding is left; there `confidence` is 0.75 unless set, and one that no prediction can fall below is refused.
    Distillation is the cross-entropy, teacher's entropy included; the teacher is constant; as official.
    Classification only: a regression task is refused.
    Passes: one forward and one backward through all exits.

    distillation: C
    temperature: T at first; annealing: 1 keeps it
    annealing: factor on T
    confidence: above it T grows; None: 0.5, or 0.75 with two classes
    scale: S; None: 10 / M
    """

    distillation: Annotated[float, Field(ge=0, le=1)] = 0.5
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    annealing: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.05
    confidence: Annotated[float, Field(gt=0, le=1)] | None = None
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def begin(self, shape: TrialShape) -> DbtRun:
        """See `Method.begin`."""
        refuse_regression("dbt", shape)
        confidence = (0.75 if shape.num_labels == 2 else 0.5) if self.confidence is None else self.confidence
        if self.annealing > 1 and confidence <= 1 / shape.num_labels:
            raise InputError(
                f"dbt: confidence: with {shape.num_labels} classes the largest probability is never below "
                f"{1 / shape.num_labels:.3g}: at {confidence:g} the temperature would grow without end"
            )
        scale = 10 / len(shape.exits) if self.scale is None else self.scale
        return DbtRun(shape, self.distillation, scale, self.temperature, self.annealing, confidence)


class DbtRun(MethodRun):
    """One trial of `Dbt`; remembers the temperature, on the logits' device: looking at it would wait for a GPU."""

    def __init__(
        self,
        shape: TrialShape,
        distillation: float,
        scale: float,
        temperature: float,
        annealing: float,
        confidence: float,
    ) -> None:
        super().__init__(shape)
        self._distillation, self._scale = distillation, scale
        self._annealing, self._confidence = annealing, confidence
        self.temperature = torch.tensor(temperature, dtype=torch.float64)
        self._stage = Stage(1, 1, shape.epochs, exits=shape.exits)

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.loss`; at the present temperature."""
        supervised = exit_losses(logits, labels).sum()
        taught = distillation_matrix(logits, self.temperature.to(logits))[:-1, -1].sum()
        return self._scale * ((1 - self._distillation) * supervised + self._distillation * taught)

    def step(self, context: StepContext) -> Tensor:
        """One temperature for the whole batch; it is raised afterwards."""
        confidences: list[Tensor] = []

        def objective(micro: MicroBatch) -> Tensor:
            logits = context.forward(micro.inputs, self.shape.exits)
            confidences.append(micro.share * self.teacher_confidence(logits))
            return self.loss(logits, micro.labels, context.epoch)

        total = self.descend(context, objective)
        self.anneal(torch.stack(confidences).sum())
        return total

    def teacher_confidence(self, logits: Tensor) -> Tensor:
        """Mean over the examples of the last exit's largest softened probability; no gradient."""
        last = logits[-1].detach().double()
        self.temperature = self.temperature.to(last)
        return torch.softmax(last / self.temperature, dim=-1).amax(dim=-1).mean()

    def anneal(self, confidence: Tensor) -> None:
        """Raise the temperature if the teacher was surer than allowed."""
        raised = self.temperature * self._annealing
        self.temperature = torch.where(confidence > self._confidence, raised, self.temperature)

    def state_dict(self) -> dict[str, Any]:
        """See `MethodRun.state_dict`."""
        return {"temperature": self.temperature.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `MethodRun.load_state_dict`."""
        if set(state) != {"temperature"}:
            raise ValueError(f"DbtRun holds its temperature, but was given {sorted(state)}")
        self.temperature = state["temperature"].clone().to(self.temperature)
