"""`TrialRun`: one trial, report by report."""

from __future__ import annotations

import dataclasses
import functools
import gc
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from greenexp.errors import CheckpointError, MemoryShortageError, NothingLeftError, TrialError
from greenexp.meters import Meters, open_meters
from greenexp.meters.measure import MeterReading
from greenexp.methods.fusing import why_not_fused
from greenexp.model import save_model
from greenexp.records.energy import ENERGY_METHOD, EnergyMethod, weakest
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.progress import Epochs, epochs_at, report_at, steps_until
from greenexp.records.trial import TrialSpec
from greenexp.tasks.dev_part import part_of_dev
from greenexp.tasks.folds import on_fold
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.best_scores import BestScores
from greenexp.training.checkpoint import check_owner, encoded, read_checkpoint, write_checkpoint
from greenexp.training.compressing import ReportedModel
from greenexp.training.device import trial_device
from greenexp.training.evaluation import Evaluation, evaluate
from greenexp.training.isolation import GeneratorStates, epoch_seed, isolated
from greenexp.training.kept import serving_of, store_logits
from greenexp.training.memory import shortage
from greenexp.training.patience import TrialPatience
from greenexp.training.processes import TrialProcesses
from greenexp.training.scoring import exit_metrics, is_better, selected_score
from greenexp.training.trial_setup import TrainingStretch, TrialSetup
from greenexp.training.under_way import EpochUnderWay


class TrialRun(Iterator[EpochRecord]):
    """An iterator over the reports of a trial; it can be saved between two steps, loaded into a fresh one, and closed.

    On one machine two runs of equal trials with equal `threads` give bit-identical records (but for measured costs),
    whether fresh or resumed, whatever ran in the process before. After the last record it is exhausted; after an error
    every further call raises that error again. Use it from one thread.

    How often a trial reports within an epoch changes none of its weights: an evaluation draws nothing, and the random
    number generators go on after it where they stood.

    trial, data: what to train on what (the whole task: a trial with a fold takes its part); threads: CPU threads
    meters: of this trial, running since its set-up began; it trains on a GPU if they say that one is assigned.
        `close()` closes them. None: meters of a trial without GPU that shares the machine
    logits_folder: where dev logits of each best report so far go; None: nowhere
    model_folder: where the model of the best report so far goes, over the one before; None: nowhere
    at_once: examples that are computed at once at most, where a whole micro-batch does not fit into memory. The numbers
        stay the same but for rounding; where they would not it is not heeded
    processes: that train the trial together, of which this one is the first; None: it is alone

    Raises InputError when the settings contradict each other, the data or the machine.
    """

    def __init__(
        self,
        trial: TrialSpec,
        data: PreparedTask,
        *,
        threads: int = 1,
        meters: Meters | None = None,
        logits_folder: Path | None = None,
        model_folder: Path | None = None,
        at_once: int | None = None,
        processes: TrialProcesses | None = None,
    ) -> None:
        self.trial = trial
        self._data, self._threads = on_fold(data, trial.fold), threads
        self._part = part_of_dev(self._data.dev, trial.settings.training)
        self._logits_folder, self._model_folder = logits_folder, model_folder
        # Opened first, so that setting up is part of the first report's costs.
        self.meters = open_meters(cpus=threads, exclusive=False) if meters is None else meters
        self._reports = 0
        self._under_way: EpochUnderWay | None = None  # None between two epochs
        self._spent: Costs | None = None  # since the last report, by what the meters said so far
        self._saved: Costs | None = None  # of these, what the last checkpoint holds
        self._energy_method: EnergyMethod | None = None  # the weakest of those by which its energy was found
        self._failure: BaseException | None = None
        self._processes = processes
        self._shares_state = processes is not None  # before the next step
        self._setup: TrialSetup | None = None
        self._device = torch.device("cpu")
        try:
            self._device = trial_device(self.meters.gpus)
            with self._isolated(0):
                work = TrialSetup.build(trial, self._data, self._device, self.meters, at_once, processes)
                self._setup = work
            self._patience = TrialPatience.of(work.training, work.metric, work.method)
            self._best = BestScores(work.method, work.training.reports_per_epoch, self._part is not None)
        except BaseException:
            self.close()
            raise

    @property
    def epoch(self) -> Epochs:
        """Epochs trained at the last report."""
        return epochs_at(self._reports, self.trial.settings.training.reports_per_epoch)

    @property
    def progress(self) -> Epochs:
        """Epochs trained at the last step."""
        work, epoch = self._open_setup(), self._under_way
        if epoch is None or self._is_at_report:
            return self.epoch
        return epoch.epoch - 1 + epoch.steps / work.steps(epoch.epoch)

    @property
    def step(self) -> int:
        """Optimiser steps made."""
        return self._open_setup().step

    @property
    def can_be_fused(self) -> bool:
        """Whether other seeds of its configuration can be trained with it as one model."""
        work = self._open_setup()
        return not work.trainer.divides and not why_not_fused(self.trial.settings, work.method, work.model)

    def __next__(self) -> EpochRecord:
        try:
            while (record := self.train_on(lambda: False)) is None:
                pass
        except NothingLeftError:
            raise StopIteration from None
        except StopIteration as error:  # a method's own: it must not pass for the trial's end
            raise RuntimeError("a StopIteration left the training") from error
        return record

    def train_on(self, interrupted: Callable[[], bool]) -> EpochRecord | None:
        """Train to the next report; or until `interrupted`, asked between two steps, is true, and then there is none.

        An interrupted run can be saved, or trained on with the same numbers. NothingLeftError after the last report.
        MemoryShortageError where memory ran out: the run is of no further use but to say what it spent, and a fresh one
        with a smaller `at_once` can go on from the last checkpoint.
        """
        work = self._unfinished_setup()
        try:
            record = self._train_to_report(work, interrupted)
        except BaseException as error:
            told = shortage(error)
            if told is None:
                self._failure = error
                raise
        else:
            told = None
        if told is not None:  # out here, where the error that was caught, and what its frames hold, is gone
            self._failure = MemoryShortageError(work.at_once, told, work.undivided)
            raise self._failure
        if record is not None:
            self._reports += 1
            self._best.note(record)
            self._begin_report()
        return record

    def begin(self) -> TrainingStretch:
        """Enter the epoch of the next report, for whoever trains to it in the place of `train_on`.

        Once its steps are made, `train_on` makes the report. Raises what `train_on` would raise.
        """
        work = self._unfinished_setup()
        isolated = functools.partial(self._isolated, self._next_epoch(work))
        with isolated():
            until, epoch = self._enter(work), self._entered
            return TrainingStretch(work, epoch, until, epoch.generators or GeneratorStates.now(self._device), isolated)

    def give_up(self, error: BaseException) -> None:
        """Every further call raises `error`, which came up while somebody else trained it."""
        self._failure = error

    def unreported(self) -> Costs:
        """What was spent since the last record: what a failed report cost. Ask before `close`."""
        return self._spend(self.meters.read())

    def repeated(self) -> Costs:
        """What was spent since the last record and is in no checkpoint. Ask before `close`."""
        spent = self.unreported()
        return spent if self._saved is None else spent.less(self._saved)

    def save(self, folder: Path) -> Costs:
        """Write a checkpoint into `folder`, over an older one. Raises CheckpointError; the older one then stays.

        Returns what was spent since the last report, but for the saving itself; the checkpoint holds it too.
        """
        spent = self.unreported()
        write_checkpoint(folder, *self._state(spent))
        self._saved = spent
        return spent

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint of this trial. Raises CheckpointError if it is another's, incomplete or damaged."""
        self._open_setup()
        tensors, state = read_checkpoint(folder)
        check_owner(folder, state, {"fingerprint": self.trial.fingerprint, "data": self._data.fingerprint})
        self._go_on_from(tensors, state, f"checkpoint {folder}")
        self._shares_state = self._processes is not None

    def close(self) -> None:
        """Let go of model, optimiser and meters. Closing twice is allowed; everything else then raises TrialError."""
        model = None if self._setup is None else weakref.ref(self._setup.model)
        self._setup = None
        self._failure = None
        self.meters.close()
        if model is not None and model() is not None:
            gc.collect()  # something, say a traceback, holds it in a cycle; not always, as it takes 0.2 s
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def __enter__(self) -> TrialRun:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _isolated(self, epoch: int) -> Any:
        return isolated(epoch_seed(self.trial.seeds.order, epoch), self._threads, self._device)

    def _open_setup(self) -> TrialSetup:
        if self._failure is not None:
            raise self._failure
        if self._setup is None:
            raise TrialError(f"trial {self.trial.trial} is closed")
        return self._setup

    def _state(self, spent: Costs | None) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds: tensors and plain JSON values."""
        work = self._open_setup()
        tensors, method_values = work.state()
        state = {
            "trial": self.trial.trial,
            "fingerprint": self.trial.fingerprint,
            "data": self._data.fingerprint,
            "torch": torch.__version__,
            "epoch": self.epoch,
            "step": work.step,
            "stage_first_step": work.stage_first_step,
            **self._best.state(),
            "patience": self._patience.state(),
            "method": method_values,
            "spent": None if spent is None else dataclasses.asdict(spent),
            "energy_method": self._energy_method,
        }
        if self._under_way is not None:
            own, state["under_way"] = self._under_way.state()
            tensors |= own
        return tensors, state

    def _go_on_from(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any], origin: str) -> None:
        """Take over a `_state`. Raises CheckpointError, which names its origin."""
        work, stored = self._open_setup(), state.get("under_way")
        try:
            reports = report_at(state["epoch"], work.training.reports_per_epoch)
            under_way = None if stored is None else EpochUnderWay.of_state(tensors, stored, self._device)
            epoch = int(state["epoch"]) if under_way is None else under_way.epoch
            with self._isolated(epoch):
                work.restore(tensors, state["method"], epoch, int(state["step"]), int(state["stage_first_step"]))
            self._patience.restore(state["patience"])
            self._best.restore(state)
            spent = None if state.get("spent") is None else Costs(**state["spent"])
            method = None if state.get("energy_method") is None else EnergyMethod(state["energy_method"])
        except (KeyError, TypeError, ValueError) as error:
            self._failure = CheckpointError(f"{origin} cannot be understood: {error!r}")
            raise self._failure from error
        except CheckpointError as error:  # some weights may be in place already
            self._failure = error
            raise
        self._reports, self._under_way = reports, under_way
        self._spent, self._saved, self._energy_method = spent, spent, method

    def _share_state(self) -> None:
        """Before the first step: hand the other processes of the trial what this one starts from."""
        if self._shares_state and self._processes is not None:
            self._processes.share(encoded(*self._state(None)))
        self._shares_state = False

    @property
    def _is_at_report(self) -> bool:
        """Whether no step was made since the last report."""
        epoch = self._under_way
        return epoch is None or epoch.examples == 0

    def _unfinished_setup(self) -> TrialSetup:
        work = self._open_setup()
        if self._reports >= work.training.epochs * work.training.reports_per_epoch or self._patience.exhausted:
            raise NothingLeftError(f"the trial has had all its {self._reports} reports")
        return work

    def _next_epoch(self, work: TrialSetup) -> int:
        return self._reports // work.training.reports_per_epoch + 1

    @property
    def _entered(self) -> EpochUnderWay:
        if self._under_way is None:
            raise ValueError("no epoch was entered")
        return self._under_way

    def _enter(self, work: TrialSetup) -> int:
        """Make ready for the epoch of the next report; the step of it at which that report is due."""
        epoch, per_epoch = self._next_epoch(work), work.training.reports_per_epoch
        if self._under_way is None:
            work.enter(epoch)
            self._under_way = EpochUnderWay(epoch)
        return steps_until(self._reports % per_epoch + 1, per_epoch, work.steps(epoch))

    def _train_to_report(self, work: TrialSetup, interrupted: Callable[[], bool]) -> EpochRecord | None:
        epoch = self._next_epoch(work)
        with self._isolated(epoch):
            with nullcontext() if self._processes is None else self._processes.together():
                self._share_state()
                until = self._enter(work)
                came_there = work.train(self._entered, until, interrupted)
            if not came_there:
                return None
            reported = work.reported(work.method.trained_exits(epoch))
            self._entered.flops += reported.flops
            on = self._part if self._best.is_on_part(self._reports + 1) and self._part is not None else self._data.dev
            found = evaluate(
                reported.model,
                on,
                exits=reported.exits,
                batch_size=work.evaluation_batch_size,
                pad_id=self._data.pad_id,
                masking=self._data.masking,
                precision=work.precision,
                device=self._device,
            )
            return self._record(work, self._entered, reported, found)

    def _begin_report(self) -> None:
        """After a report: go on with the epoch, or with the next one."""
        self._spent = self._saved = self._energy_method = None
        if self._under_way is not None:
            self._under_way.begin_report()
        if self._reports % self.trial.settings.training.reports_per_epoch == 0:
            self._under_way = None

    def _spend(self, measured: MeterReading) -> Costs:
        """What was spent since the last report, with what the meters have `measured` since they were last read."""
        flops = 0.0 if self._under_way is None else self._under_way.flops
        spent = measured.costs if self._spent is None else self._spent.plus(measured.costs)
        self._energy_method = weakest(filter(None, (self._energy_method, measured.energy_method)))
        self._spent = dataclasses.replace(spent, train_flops=flops)
        return self._spent

    def _record(
        self, work: TrialSetup, under_way: EpochUnderWay, reported: ReportedModel, found: Evaluation
    ) -> EpochRecord:
        model, exits, per_epoch = reported.model, reported.exits, work.training.reports_per_epoch
        epoch = epochs_at(self._reports + 1, per_epoch)
        is_on_part = self._best.is_on_part(self._reports + 1)
        on = self._part if is_on_part and self._part is not None else self._data.dev
        metrics = exit_metrics(found.logits, on.labels, self._data.metrics, work.metric, work.step, found.tokens)
        score, remark = selected_score(exits, metrics, work.metric)
        best = self._best.before(self._reports + 1)
        improved = is_better(score, best, work.metric)
        if isinstance(epoch, int):
            self._patience.note(epoch, score)
        keeps = improved and not is_on_part  # what is kept is of the best epoch
        stored = store_logits(self._logits_folder, self._data.dev, reported, found) if keeps else None
        if keeps and self._model_folder is not None:
            save_model(model, self._model_folder, serving_of(self._data, exits, self.trial.settings.task.name))
        scores = tuple(
            ExitScore(number, model.exit_layers[number - 1], result, reported.inference_flops(number))
            for number, result in zip(exits, metrics, strict=True)
        )
        measured = self.meters.read()
        remarks = dict(measured.not_measured) | ({} if remark is None else {"score": remark})
        return EpochRecord(
            epoch=epoch,
            step=work.step,
            examples=under_way.examples,
            train_loss=under_way.train_loss,
            learning_rate=work.learning_rate,
            score=score,
            best_score=score if improved or best is None else best,
            exits=scores,
            costs=dataclasses.replace(self._spend(measured), eval_flops=found.flops),
            not_measured=remarks,
            computed_with=work.circumstances(self._device, model) | self._said_of_energy(),
            dev_logits=stored,
            encoder_layers=model.backbone.num_layers,
            parameters=model.parameter_count(),
            weight_bytes=model.weight_bytes(),
            last=epoch == work.training.epochs or self._patience.exhausted,
            dev_examples=len(on) if is_on_part else None,
        )

    def _said_of_energy(self) -> dict[str, str]:
        method = self._energy_method
        return {} if method in (None, EnergyMethod.UNAVAILABLE) else {ENERGY_METHOD: str(method)}
