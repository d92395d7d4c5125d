"""What a trial trains with: model, method, optimiser. Made at once, changed by stages, dropped at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from greenexp.compression.base import Compression
from greenexp.errors import CheckpointError, InputError
from greenexp.journal.origins import check_origins
from greenexp.meters import Meters
from greenexp.methods.adapt import check_compiled, check_reads, check_tokens, trial_shape
from greenexp.methods.base import MethodRun, Stage
from greenexp.methods.parallel import why_not_parallel
from greenexp.model import MultiExitModel, build_model
from greenexp.model.reduction import exits_left
from greenexp.records.costs import Part
from greenexp.records.epoch import AT_ONCE, DROPOUT_MASKS, OF_PROCESSES, PROCESSES
from greenexp.records.progress import steps_until
from greenexp.records.sections import Metric, Training
from greenexp.records.trial import TrialSpec
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.compiled import NOTE, CompiledLayers
from greenexp.training.compressing import ReportedModel, compressed
from greenexp.training.epoch import EpochTrainer
from greenexp.training.inputs import Reader
from greenexp.training.isolation import GeneratorStates
from greenexp.training.optimisation import Optimisation
from greenexp.training.pieces import why_undivided
from greenexp.training.precision import Precision, choose_precision
from greenexp.training.processes import TrialProcesses
from greenexp.training.scoring import check_metric
from greenexp.training.under_way import EpochUnderWay

_MODEL, _OPTIMISER, _METHOD = "model.", "optimiser.", "method."


@dataclass(eq=False)
class TrialSetup:
    """Everything with memory of its own that a trial needs; `build` makes one.

    step: optimiser steps made; stage_first_step: of them before the present stage
    compiled: its layers, where the settings say so
    undivided: why its batches cannot be divided to the same numbers; empty if they can
    """

    trainer: EpochTrainer
    metric: Metric
    dev_lengths: Any
    compression: Compression
    undivided: str = ""
    compiled: CompiledLayers | None = None
    step: int = 0
    stage_first_step: int = 0
    _stage: Stage | None = None
    _optimisation: Optimisation | None = None
    _whole: ReportedModel | None = None

    @classmethod
    def build(
        cls,
        trial: TrialSpec,
        data: PreparedTask,
        device: torch.device,
        meters: Meters,
        at_once: int | None = None,
        processes: TrialProcesses | None = None,
    ) -> TrialSetup:
        """Build model and method from the trial's settings. Raises InputError where they do not fit.

        at_once: examples that are computed at once at most, if batches can be divided; None: whole micro-batches
        processes: that train it together; None: this one alone
        """
        check_origins(trial)
        check_reads(trial.settings, data)
        training, metric = trial.settings.training, trial.settings.metric
        plugin, compression = trial.settings.method.plugin(), trial.settings.compression.plugin()
        model = build_model(
            compression.adapt(plugin.adapt(trial.settings.model)),
            data.num_labels,
            data.vocab_size,
            data.pad_id,
            trial.seeds.initialisation,
            device=str(device),
        )
        check_tokens(trial.settings, model, data)
        check_compiled(trial.settings, model)
        shape = trial_shape(model, data, training, trial.seeds.order)
        method = plugin.begin(shape)
        method.initialise(model)
        left = exits_left(model.exit_layers, method.trained_exits(1), compression.typical_cut(model.backbone))
        check_metric(metric, left, data.num_labels, masks=data.masking is not None)
        undivided = "its layers are compiled" if training.compile else why_undivided(model, method, device)
        if processes is not None and (why := why_not_parallel(method, model, training, processes.size)):
            raise InputError(f"several processes cannot train it together: {'; '.join(text for _, text in why)}")
        trainer = EpochTrainer(
            model=model,
            method=method,
            split=data.train,
            training=training,
            reader=Reader(device, data.pad_id, data.masking if model.predicts_tokens else None, data.augmentation),
            order_seed=trial.seeds.order,
            precision=choose_precision(training.precision, device, model.backbone.hidden_size),
            device=device,
            frozen=frozenset({Part.EMBEDDINGS}) if training.freeze_embeddings else frozenset(),
            meters=meters,
            compression=compression,
            at_once=None if undivided else at_once,
            processes=processes,
        )
        work = cls(trainer, metric, data.dev.lengths, compression, undivided, _compiled(trainer))
        for epoch in range(1, training.epochs + 1):  # refuses an epoch with fewer steps than reports
            steps_until(1, training.reports_per_epoch, work.steps(epoch))
        return work

    @property
    def model(self) -> MultiExitModel:
        """The model."""
        return self.trainer.model

    @property
    def method(self) -> MethodRun:
        """The method's run."""
        return self.trainer.method

    @property
    def training(self) -> Training:
        """The section `training`."""
        return self.trainer.training

    @property
    def precision(self) -> Precision:
        """Number format of the matrix products."""
        return self.trainer.precision

    @property
    def at_once(self) -> int:
        """Examples of training that are computed at once, by each of the processes that train it."""
        return self.trainer.most_at_once

    @property
    def evaluation_batch_size(self) -> int:
        """Examples of an evaluation that are computed at once."""
        asked, at_once = self.training.evaluation_batch_size, self.trainer.at_once
        return asked if at_once is None else min(asked, 2 * at_once)

    @property
    def learning_rate(self) -> float:
        """Of the last optimiser step."""
        return 0.0 if self._optimisation is None else self._optimisation.learning_rate

    def circumstances(self, device: torch.device, reported: MultiExitModel) -> dict[str, str]:
        """For `EpochRecord.computed_with`: number format, device, notes on the weights, how batches are divided."""
        notes = (*reported.backbone.notes, *self.compression.remarks(reported.backbone))
        notes += () if self.compiled is None else (NOTE,)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        found = {"precision": self.precision, "device": name, "notes": "; ".join(notes)}
        if self.trainer.at_once is not None:
            found[AT_ONCE] = str(self.trainer.at_once)
        if self.trainer.processes is not None:
            found[PROCESSES] = str(self.trainer.processes.size)
        return found | ({DROPOUT_MASKS: OF_PROCESSES} if self.trainer.draws_apart else {})

    @property
    def optimisation(self) -> Optimisation:
        """Of the stage that was entered."""
        if self._optimisation is None:
            raise ValueError("no stage was entered")
        return self._optimisation

    def enter(self, epoch: int) -> None:
        """Make ready for `epoch`: where a stage begins, choose what trains and make a fresh optimiser and schedule."""
        stage = self.method.stage(epoch)
        if self._stage is None or stage.number != self._stage.number:
            self._begin_stage(stage, first_step=self.step)

    def train(self, under_way: EpochUnderWay, until: int, interrupted: Callable[[], bool]) -> bool:
        """Train to step `until` of the epoch, or until `interrupted`; see `EpochTrainer.train`.

        Where several processes train, inside `TrialProcesses.together`.
        """
        with nullcontext() if self.compiled is None else self.compiled.computing():
            came_there = self.trainer.train(under_way, until, self.optimisation, interrupted)
        self.step = self.optimisation.step
        return came_there

    def steps(self, epoch: int) -> int:
        """Optimiser steps of an epoch."""
        return self.trainer.steps(epoch)

    def reported(self, exits: tuple[int, ...]) -> ReportedModel:
        """What is scored and saved now that `exits` are trained: what the compression leaves of the model."""
        if self._whole is None or self._whole.exits != exits:
            self._whole = ReportedModel(self.model, exits, self.dev_lengths)
        return compressed(self.compression, self.trainer, exits, self._whole)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors of model, optimiser and method, and the method's plain values."""
        tensors = {_MODEL + name: value for name, value in self.model.state_dict().items()}
        if self._optimisation is not None:
            tensors |= {_OPTIMISER + name: value for name, value in self._optimisation.tensors().items()}
        learned = self.method.state_dict()
        tensors |= {_METHOD + name: value for name, value in learned.items() if isinstance(value, Tensor)}
        return tensors, {name: value for name, value in learned.items() if not isinstance(value, Tensor)}

    def restore(
        self, tensors: Mapping[str, Tensor], method_values: Mapping[str, Any], epoch: int, step: int, first_step: int
    ) -> None:
        """Put everything where it was after step `step`, made in `epoch` (0: none was made).

        Raises CheckpointError if the tensors do not fit.
        """
        try:
            self.model.load_state_dict(_under(_MODEL, tensors))
        except RuntimeError as error:
            raise CheckpointError(f"the checkpoint does not fit the model: {error}") from error
        learned = {name: value.clone() for name, value in _under(_METHOD, tensors).items()}
        self.method.load_state_dict({**learned, **method_values})
        self.step, self._stage, self._optimisation = step, None, None
        if epoch > 0:
            self._begin_stage(self.method.stage(epoch), first_step).restore(_under(_OPTIMISER, tensors), step)

    def _begin_stage(self, stage: Stage, first_step: int) -> Optimisation:
        self.model.train_only(stage.parts - self.trainer.frozen, stage.exits)
        named = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        named |= {_METHOD + name: value for name, value in self.method.parameters(stage.first_epoch).items()}
        if self.compiled is not None:
            self.compiled.begin_stage()
        if not named:
            raise InputError(f"nothing is left to train in stage {stage.number}: all its parts are frozen")
        self._stage, self.stage_first_step = stage, first_step
        self._optimisation = Optimisation(
            named,
            self.training,
            peak=self.training.learning_rate * stage.learning_rate_factor,
            steps=sum(map(self.steps, range(stage.first_epoch, stage.last_epoch + 1))),
            first_step=first_step,
        )
        return self._optimisation


@dataclass(frozen=True, eq=False, slots=True)
class TrainingStretch:
    """What a run has to train until its next report.

    work: what it trains with; under_way: its epoch; until: the step of the epoch at which the report is due
    generators: where its random number generators stand
    isolated: a context in which it trains; see `training.isolation`
    """

    work: TrialSetup
    under_way: EpochUnderWay
    until: int
    generators: GeneratorStates
    isolated: Callable[[], AbstractContextManager[None]]


def _compiled(trainer: EpochTrainer) -> CompiledLayers | None:
    """The model's layers, where the settings say that they are compiled, for micro-batches as large as they can be."""
    training, split = trainer.training, trainer.split
    if not training.compile:
        return None
    size = min(training.micro_batch_size or training.batch_size, len(split))
    return CompiledLayers(trainer.model, trainer.device, trainer.precision, (size, int(split.lengths.max())))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
