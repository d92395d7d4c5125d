"""LeeBERT by the book: loops over exits, teachers and examples, autograd through everything, Adam written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from greenexp.methods.base import MicroBatch
from greenexp.model import MultiExitModel


def teachers_of(student: int, exits: int, teachers: str) -> list[int]:
    last, later = exits - 1, range(student + 1, exits)
    everyone = [other for other in range(exits) if other != student]
    return {"last": [] if student == last else [last], "later": list(later), "all": everyone}[teachers]


def terms(model: MultiExitModel, batch: Sequence[MicroBatch], teachers: str, tau: float, form: str) -> Tensor:
    """Every term of eq. 5 without its weight, over a batch that may come in pieces."""
    size = sum(len(micro.labels) for micro in batch)
    total: list[Tensor] = []
    for micro in batch:
        logits = model(micro.inputs)
        exits = len(logits)
        supervised, distilled = [], []
        for student in range(exits):
            rows = zip(logits[student], micro.labels, strict=True)
            supervised.append(sum(-functional.log_softmax(row, 0)[label] for row, label in rows))
            taught_by = teachers_of(student, exits, teachers)
            for teacher in taught_by:
                pair = torch.zeros((), dtype=torch.float64)
                for z_s, z_t in zip(logits[student], logits[teacher].detach(), strict=True):
                    p_t, log_s = torch.softmax(z_t / tau, 0), torch.log_softmax(z_s / tau, 0)
                    pair = pair - tau**2 * (p_t * log_s).sum()
                    if form == "kl":
                        pair = pair + tau**2 * (p_t * torch.log_softmax(z_t / tau, 0)).sum()
                distilled.append(pair / (exits * len(taught_by)))
        total.append(torch.stack([*supervised, *distilled]) / size)
    return torch.stack(total).sum(0)


def omega(kind: str, free: Tensor, exits: int) -> Tensor:
    if kind == "raw":
        return free
    if kind == "softplus":
        return functional.softplus(free)
    supervised, distilled = free[:exits], free[exits:]
    return torch.cat([exits * torch.softmax(supervised, 0), len(distilled) * torch.softmax(distilled, 0)])


@dataclass
class Naive:
    """theta by plain gradient descent, omega by Adam, everything by autograd."""

    model: MultiExitModel
    free: Tensor
    scheme: str
    teachers: str = "all"
    tau: float = 1.0
    form: str = "ce"
    kind: str = "softmax"
    cycle: int = 4
    reading: str = "algorithm"
    rate: float = 1e-3
    factors: tuple[float, float] = (1.0, 1.0)
    weight_steps: str = "one"
    theta_rate: float = 0.5
    moments: list[Tensor] = field(default_factory=list)
    updates: int = 0

    def weights(self) -> Tensor:
        return omega(self.kind, self.free, self.model.num_exits)

    def loss(self, batch: Sequence[MicroBatch], weights: Tensor) -> Tensor:
        return (weights * self.terms(batch)).sum()

    def step(self, number: int, first: Sequence[MicroBatch], second: Sequence[MicroBatch]) -> float:
        before = self.loss(first, self.weights().detach())
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        gradients = torch.autograd.grad(before, parameters, allow_unused=True)
        crossing = self.scheme == "clo-v1" or (self.scheme == "clo-v2" and number % self.cycle == self.cycle - 1)
        plain = self.scheme == "slo" or (self.scheme == "clo-v2" and not crossing and self.reading == "algorithm")
        measured = [self.factors[0] * self.terms(first).detach()] if plain else []
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter -= self.theta_rate * gradient
        if crossing:
            measured.append(self.factors[0] * self.terms(first))
        if crossing or self.scheme == "blo":
            measured.append(self.factors[1] * self.terms(second))
        if self.weight_steps == "one" and measured:
            measured = [torch.stack(measured).sum(0)]
        for one in measured:
            free = self.free.clone().requires_grad_()
            (omega(self.kind, free, self.model.num_exits) * one).sum().backward()
            self.model.zero_grad()
            assert free.grad is not None
            self.adam(free.grad)
        return before.item()

    def terms(self, batch: Sequence[MicroBatch]) -> Tensor:
        """With their graph, so that the backward pass from omega's loss runs through the encoder."""
        return terms(self.model, batch, self.teachers, self.tau, self.form)

    def adam(self, gradient: Tensor) -> None:
        self.updates += 1
        mean, square = self.moments or (torch.zeros_like(gradient), torch.zeros_like(gradient))
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        self.moments = [mean, square]
        step = (mean / (1 - 0.9**self.updates)) / ((square / (1 - 0.999**self.updates)).sqrt() + 1e-8)
        self.free = self.free - self.rate * step
