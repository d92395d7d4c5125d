"""One optimiser step of a training method on random tokens, as the product makes it: for `method_cost.py`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from greenexp.backbones.base import TokenBatch
from greenexp.meters.flops import training_flops
from greenexp.methods.base import EpochContext, Method, MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.methods.cross_level import CrossLevelRun
from greenexp.model import MultiExitModel, build_model
from greenexp.objectives import Look, MutualTerms, exit_losses
from greenexp.plan.configurations import with_method_defaults
from greenexp.plan.plugins import installed
from greenexp.records.costs import Part, Pass
from greenexp.records.sections import MethodChoice, Training
from greenexp.records.settings import ModelSettings
from greenexp.training.optimisation import Optimisation
from greenexp.training.precision import Precision, autocast

VOCABULARY, CLASSES, EPOCHS, BATCHES = 2_000, 2, 6, 4
CYCLE = 840
"""Steps after which every way of taking turns begins again: the least common multiple of 1 to 8."""
STEPS = 10**6
"""What the learning-rate schedule is told: more than are ever made."""

Pairs = tuple[MicroBatch, MicroBatch]


@dataclass(frozen=True)
class Case:
    """A row. method: as in a sweep file; others: dotted paths of other sections; most: what it may cost; see `Lane`."""

    name: str
    method: Mapping[str, Any]
    others: Mapping[str, Any] = field(default_factory=dict)
    most: float = math.nan
    change: Callable[[MethodRun], MethodRun] = lambda run: run

    def plugin(self) -> Method:
        """The method."""
        method: Method = MethodChoice.model_validate(dict(self.method)).plugin()
        return method


@dataclass(frozen=True)
class Setting:
    """What all rows have in common. backbone: as in a sweep file; frozen: parts that never train."""

    backbone: Mapping[str, Any]
    batch: int
    length: int
    precision: Precision
    device: torch.device
    frozen: frozenset[Part]

    def settings(self, case: Case) -> ModelSettings:
        """What a model is built from, the method's own defaults filled in."""
        sections: dict[str, Any] = {"backbone": dict(self.backbone), "exits": {"layers": "all", "head": None}}
        for path, value in case.others.items():
            section, name = path.split(".")
            sections[section][name] = value
        filled = with_method_defaults({**sections, "method": dict(case.method)}, installed())
        return case.plugin().adapt(ModelSettings.from_json(filled))

    def model(self, settings: ModelSettings) -> MultiExitModel:
        """Its weights are the same every time."""
        return build_model(settings, CLASSES, VOCABULARY, pad_id=0, seed=0, device=str(self.device))

    def parameters(self, settings: ModelSettings) -> int:
        """All of a model; nothing is read or drawn."""
        return build_model(settings, CLASSES, VOCABULARY, pad_id=0, seed=0, device="meta").parameter_count()

    def least_parameters(self) -> int:
        """The backbone with one linear exit, after its last layer."""
        settings = self.settings(Case("", {"name": "finetune"}))
        depth = len(build_model(settings, CLASSES, VOCABULARY, pad_id=0, seed=0, device="meta").exits)
        return self.parameters(replace(settings, layers=(depth,)))

    @contextmanager
    def precise(self) -> Iterator[None]:
        """Forward passes run inside."""
        with autocast(self.precision, self.device):
            yield

    def batches(self) -> list[Pairs]:
        """Pairs of a first and a second batch, full and without padding; the same for everyone."""
        rng = np.random.default_rng(0)
        made = []
        for start in range(0, 2 * BATCHES * self.batch, self.batch):
            ids = torch.from_numpy(rng.integers(1, VOCABULARY, (self.batch, self.length))).to(self.device)
            labels = torch.from_numpy(rng.integers(0, CLASSES, self.batch)).to(self.device)
            made.append(MicroBatch(TokenBatch(ids), labels, 1.0, np.arange(start, start + self.batch)))
        return list(zip(made[:BATCHES], made[BATCHES:], strict=True))


class Lane:
    """One stage of a method with a model, an optimiser and a state of its own; makes steps.

    A method whose steps differ has several `turns`: the number of a step of each kind, and how often it occurs.
    Everything is as `training.trial_setup` and `training.epoch` have it, but for padding, FLOP counts and schedules.
    """

    def __init__(self, case: Case, setting: Setting, number: int, batches: Sequence[Pairs]) -> None:
        self.case, self._setting, self._batches = case, setting, batches
        settings = setting.settings(case)
        self.model = setting.model(settings)
        self.method = case.change(case.plugin().begin(shape_of(self.model, setting)))
        self.stage = next(stage for stage in stages(self.method) if stage.number == number)
        self.model.train_only(self.stage.parts - setting.frozen, self.stage.exits)
        named = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        training = Training(learning_rate=1e-6)
        self._optimisation = Optimisation(named, training, peak=1e-6, steps=STEPS, first_step=0)
        self.prepared: tuple[Pass, ...] = ()
        self.turns = turns(self.method, self.stage)
        self.added = setting.parameters(settings) - setting.least_parameters()

    def prepare(self) -> None:
        """What comes before a stage's first step, over all batches; `prepared` are its passes."""
        every = [micro for pair in self._batches for micro in pair]
        context = EpochContext(self.model, self.stage.first_epoch, lambda: iter(every), self._setting.precise)
        self.prepared = self.method.prepare(context)

    def step(self, turn: int, number: int) -> Callable[[], object]:
        """The step of a kind on pair `number` of the batches, ready to be timed."""
        first, second = self._batches[number % len(self._batches)]
        self.model.train()
        epoch = self.stage.first_epoch
        halves = [second] if self.method.split(epoch) is not None else []
        precise: Callable[[], AbstractContextManager[None]] = self._setting.precise
        update = self._optimisation.update
        context = StepContext(self.model, epoch, turn, [first], update, precise, halves)
        return lambda: self.method.step(context)

    def flops(self) -> float:
        """Mean FLOPs of a step."""
        return sum(
            share * self.flops_of(self.method.passes(self.stage.first_epoch, turn)) for turn, share in self.turns
        )

    def flops_of(self, passes: tuple[Pass, ...]) -> float:
        """Of passes over one batch."""
        costs = self.model.costs(self._setting.batch, self._setting.length)
        return float(training_flops(costs, passes, self._setting.frozen))


def shape_of(model: MultiExitModel, setting: Setting) -> TrialShape:
    return TrialShape(
        model.exit_layers,
        model.backbone.num_layers,
        CLASSES,
        EPOCHS,
        hidden_size=model.backbone.hidden_size,
        train_tokens=2 * BATCHES * setting.batch * setting.length,
        reads_earlier=any(model.head(number).reads_earlier for number in model.exits),
    )


def stages(run: MethodRun) -> list[Stage]:
    """Of a trial of `EPOCHS` epochs, in order."""
    found = {run.stage(epoch).number: run.stage(epoch) for epoch in range(1, EPOCHS + 1)}
    return [found[number] for number in sorted(found)]


def stages_of(case: Case, setting: Setting) -> list[Stage]:
    settings = setting.settings(case)
    model = build_model(settings, CLASSES, VOCABULARY, pad_id=0, seed=0, device="meta")
    return stages(case.change(case.plugin().begin(shape_of(model, setting))))


def turns(run: MethodRun, stage: Stage) -> list[tuple[int, float]]:
    """Per kind of step, i.e. per list of passes: the number of its first step, and its share of all steps."""
    kinds = [run.passes(stage.first_epoch, step) for step in range(CYCLE)]
    return [(kinds.index(kind), count / CYCLE) for kind, count in Counter(kinds).items()]


class NaiveRun(CrossLevelRun):
    """omega's gradient by autograd through everything, as one writes it first: theta's is computed too, and lost."""

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:
        """With a backward pass where the method makes none."""
        exits = self.shape.exits
        forward_only = super().passes(epoch, step)
        return tuple(one if one.backward else Pass(exits, (exits,), batch=one.batch) for one in forward_only)

    def step(self, context: StepContext) -> Tensor:
        """Algorithm 1."""
        _, total = self._descend(context)
        context.update(total)
        measured = {}
        for look, batch in ((Look.FIRST_AFTER, context.batch), (Look.SECOND_AFTER, context.second)):
            omega = self.weights.values.requires_grad_()
            for micro in batch:
                terms = self.terms.of(context.forward(micro.tokens, self.shape.exits), micro.labels)
                (omega.to(terms) * (micro.share * terms)).sum().backward()
            if omega.grad is None:
                raise ValueError("omega has no batch to learn from")
            measured[look] = omega.grad
            context.model.zero_grad(set_to_none=True)
        self.weights.step(context.step, measured)
        return total


class LoopTerms(MutualTerms):
    """The same terms, the pairs in a Python loop; the logarithms of the softmax still once for all of them."""

    def of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `MutualTerms.of`."""
        supervised = exit_losses(logits, labels)
        said = torch.log_softmax(logits.float() / self.temperature, dim=-1)
        sizes = Counter(student for student, _ in self.pairs)
        taught = [
            -(self.temperature**2)
            * (said[teacher - 1].detach().exp() * said[student - 1]).sum(dim=-1).mean()
            / (self.exits * sizes[student])
            for student, teacher in self.pairs
        ]
        return torch.cat((supervised, torch.stack(taught)))


def naive(run: MethodRun) -> MethodRun:
    if not isinstance(run, CrossLevelRun):
        raise TypeError("only a cross-level method has an omega")
    return NaiveRun(run.shape, run.terms, run.weights, 0.5)


def looping(run: MethodRun) -> MethodRun:
    if not isinstance(run, CrossLevelRun):
        raise TypeError("only a cross-level method has pairs of exits")
    terms = LoopTerms(run.terms.exits, run.terms.teachers, run.terms.temperature, run.terms.form)
    return CrossLevelRun(run.shape, terms, run.weights, 0.5)
