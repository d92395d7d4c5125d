"""What a worker does with one trial: build it or go on from its checkpoint, train it, and say what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray

from greenexp.assets import find, install
from greenexp.errors import (
    LOG_LENGTH,
    CheckpointError,
    GreenexpError,
    LostProcessError,
    MemoryShortageError,
    StateError,
    abridged,
)
from greenexp.meters import Meters, open_meters
from greenexp.plan.data import prepare_data
from greenexp.plan.plugins import AddedPlugin
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.progress import Epochs
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSpec
from greenexp.tasks.prepared import PreparedTask
from greenexp.training import TrialRun
from greenexp.training.processes import TrialProcesses
from greenexp.tuning.checkpoints import checkpoint_folder, saved_folder
from greenexp.tuning.delivered_origins import install_origins
from greenexp.tuning.delivered_tokens import asking, fetch_tokens
from greenexp.tuning.energy import sampled_energy
from greenexp.tuning.faults import dying_of_faults
from greenexp.tuning.models import model_folder
from greenexp.tuning.nodes import NodeFacts
from greenexp.tuning.notices import LeavingNotice
from greenexp.tuning.results import Results
from greenexp.units import format_quantity


class PausedTrial(NamedTuple):
    """A trial that was saved to pause.

    checkpoint: its folder, relative to the sweep's
    at_once: how many examples it computes at once, None: as many as its settings say
    costs: what was spent since its last report, as fields of `Costs`
    epoch: epochs trained at its last report
    """

    checkpoint: str
    at_once: int | None
    costs: dict[str, Any]
    epoch: Epochs


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What every worker of a sweep shares.

    results: where what a trial makes is left
    data: key of a trial's data -> its object reference (`tuning.data`)
    processes: of a trial; threads: CPU threads of each; gpus: GPUs of each (a fraction means that it shares one)
    exclusive: True if no other process trains on the devices at the same time, so that their energy is this trial's
    accounting: the sweep file's factors for carbon and money
    checkpoint_every_s: seconds after which a trial is saved while it trains on; None: it is saved only to pause
    assets: name -> the files of weights that a node may not have, or nothing where all share this machine's cache
    origins: source in the sweep file -> the model of another sweep that it means, or nothing as above
    tokens: the actor that sends tokens in files, where workers may be on other machines and there are any
    plugins: what was registered in the driver's process alone; it travels by value where it has no module
    mps: whether workers share GPUs through MPS, and die of its faults
    energy: the actor that samples energy on the driver's node; None: no node of the sweep has a counter
    driver: what the driver's machine has, where workers may be on others (`nodes.driver_facts`)
    """

    results: Results
    data: Mapping[str, ray.ObjectRef]
    threads: int
    gpus: float
    exclusive: bool
    accounting: Accounting
    checkpoint_every_s: float | None = None
    assets: Mapping[str, ray.ObjectRef] = field(default_factory=dict)
    origins: Mapping[str, ray.ObjectRef] = field(default_factory=dict)
    tokens: Any = None
    plugins: tuple[AddedPlugin, ...] = ()
    driver: NodeFacts | None = None
    energy: Any = None
    processes: int = 1
    mps: bool = False


class TrialTaker:
    """One trial of a worker, and after it another one.

    A trial's failure is an answer, not an exception: the process stays warm for the next.
    """

    ended = False
    """Whether its last answer was the trial's last."""

    _together: TrialProcesses | None = None
    """The processes that train its trials; None: this one alone."""

    def equip(self, settings: WorkerSettings, data: dict[str, PreparedTask], notice: LeavingNotice | None) -> None:
        """What all trials of the process share. data: what was read of it last, by its key."""
        self._settings, self._data, self._notice = settings, data, notice
        self._run: TrialRun | None = None
        self._checkpoint: str | None = None
        self._at_once: int | None = None
        self._restarted = ""

    def step(self) -> dict[str, Any]:
        """Train to the next report, or until the trial is to be saved.

        A result holds `record`, or `saved` (with `leaving` if its node will be taken away), or `divided` if memory ran
        out and the next step begins again with smaller micro-batches, or `failure` if the trial cannot go on.
        """
        return self.guarded(lambda: self.answer(self._trained()))

    def guarded(self, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of `act`, or what is said instead of it where something goes wrong.

        Raises LostProcessError: the worker is to die of it, as its trial's other process did, or its GPU is lost.
        """
        try:
            with dying_of_faults(self._gpu if self._settings.mps else None):
                return act()
        except LostProcessError:
            raise
        except StateError as error:  # a full disk and the like: the next trial would fare no better
            return {"halt": abridged(str(error))}
        except MemoryShortageError as error:
            return self._divided(error)
        except GreenexpError as error:
            return self._failure(str(error))
        except Exception as error:  # a method's own code may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())  # one line, wherever it is shown
            return self._failure(reason, traceback.format_exc())

    def answer(self, record: EpochRecord | None) -> dict[str, Any]:
        """The result with a report; without one the trial is saved."""
        # As text: Tune would flatten a nested dict. Never `done`: Tune would hide such a result from its scheduler.
        result = self._save() if record is None else {"record": json.dumps(record.to_json(), allow_nan=False)}
        self._settings.results.settle()
        if record is not None:
            if record.last:
                self.drop()  # what the worker uses while it waits is not this trial's
                self.ended = True
            on = "" if record.dev_examples is None else f" on {record.dev_examples} examples"
            self._log(f"epoch {record.epoch:g}: train loss {record.train_loss:.4f}, dev score {record.score:.4f}{on}")
        if self._restarted:
            result["restarted"], self._restarted = self._restarted, ""
        return result

    def pause(self) -> PausedTrial:
        """Save where a later session finds it, and let go of it."""
        with dying_of_faults(self._gpu if self._settings.mps else None):
            return self._parked()

    def _parked(self) -> PausedTrial:
        training = self._training()
        epoch, folder = training.epoch, checkpoint_folder(self._trial.trial, training.epoch)
        costs = training.save(self._settings.results.folder / folder)
        self._settings.results.settle()
        self._log(f"paused after epoch {epoch:g}")
        self.drop()
        return PausedTrial(folder, self._at_once, dataclasses.asdict(costs), epoch)

    def _trained(self) -> EpochRecord | None:
        """The trial's next report; None where it is to be saved before."""
        return self._training().train_on(self._is_save_due)

    def _is_leaving(self) -> bool:
        """Whether a node of the trial will be taken away."""
        return self._notice is not None and self._notice.has_come()

    def _is_save_due(self) -> bool:
        if self._notice is not None and self._notice.has_come():
            return True
        every_s = self._settings.checkpoint_every_s
        return every_s is not None and time.monotonic() - self._saved_at >= every_s

    def _save(self) -> dict[str, str]:
        """Save the trial between two steps, and say where it is and what no report covers yet."""
        training = self._training()
        relative = saved_folder(self._trial.trial, training.step)
        costs = training.save(self._settings.results.folder / relative)
        self._saved_at, self._checkpoint = time.monotonic(), relative
        self._log(f"saved after {training.progress:.3g} epochs")
        saved = {"epoch": training.progress, "checkpoint": relative, "costs": dataclasses.asdict(costs)}
        found = {"saved": json.dumps(saved, allow_nan=False)}
        if self._is_leaving():
            self._log("its node will be taken away")
            found["leaving"] = "its node will be taken away: its state was saved, and it goes on elsewhere"
        return found

    def take(self, config: Mapping[str, Any]) -> None:
        """Only note what to do: the model is built inside `step`, where a failure is the trial's, not the actor's."""
        self._trial = TrialSpec.from_json(json.loads(config["spec"]))
        self._checkpoint, self._restarted = config["checkpoint"], ""
        self._at_once = config.get("at_once")
        self._data_key: str = config["data"]
        self.ended = False
        self._saved_at = time.monotonic()
        self._log(f"attempt {config['attempt']} begins" + (f" from {self._checkpoint}" if self._checkpoint else ""))

    def _training(self) -> TrialRun:
        """The running trial, built when it is first needed."""
        if self._run is None:
            shared = self._settings
            for name, files in shared.assets.items():
                if find(name) is None:
                    install(name, ray.get(files))
            install_origins(shared.origins, ray.get)
            if self._data_key not in self._data:
                self._data.clear()
                self._data[self._data_key] = self._read()
            self._run = self._made(self._data[self._data_key], self._meters())
            self._go_on()
        return self._run

    def _made(self, data: PreparedTask, meters: Meters) -> TrialRun:
        """The trial's run, as new."""
        folder = self._settings.results.folder
        return TrialRun(
            self._trial,
            data,
            threads=self._settings.threads,
            meters=meters,
            logits_folder=folder / "logits",
            model_folder=model_folder(folder, self._trial.trial),
            at_once=self._at_once,
            processes=self._together,
        )

    def _read(self) -> PreparedTask:
        """The trial's data from the object store; what only the search could know of is read here."""
        known = self._settings.data.get(self._data_key)
        if known is None:
            return prepare_data(self._trial.settings)
        data: PreparedTask = ray.get(known)
        if self._settings.tokens is not None:
            fetch_tokens(data, asking(self._settings.tokens))
        return data

    def _go_on(self) -> None:
        """Load the checkpoint; where it is gone or damaged, begin anew: the seeds give the same numbers again."""
        if self._run is None or self._checkpoint is None:
            return
        try:
            with self._settings.results.fetched(self._checkpoint) as folder:
                self._run.load(folder)
        except CheckpointError as error:
            self._restarted, self._checkpoint = abridged(f"begun anew: {error}"), None
            self._log(self._restarted)
            self.drop()
            self._training()

    def _gpu(self) -> str:
        """The GPU it has, for people."""
        return f"GPU {', '.join(map(str, ray.get_gpu_ids()))}"

    def _meters(self) -> Meters:
        """The trial's meters, its energy by the sampler of this node."""
        shared = self._settings
        gpus, share = [str(gpu) for gpu in ray.get_gpu_ids()], min(shared.gpus, 1.0) if shared.gpus else 1.0
        cpus = None if shared.exclusive else shared.threads
        energy = None
        if shared.energy is not None:
            energy = sampled_energy(shared.energy, self._trial.trial, gpus=gpus, gpu_share=share, cpus=cpus)
        return open_meters(
            gpus=gpus,
            gpu_share=share,
            cpus=shared.threads,
            exclusive=shared.exclusive,
            exclusive_gpus=shared.gpus >= 1,
            accounting=shared.accounting,
            energy=energy,
        )

    def drop(self) -> None:
        """Let go of the trial."""
        if self._run is not None:
            self._run.close()
            self._run = None

    def _divided(self, error: MemoryShortageError) -> dict[str, Any]:
        """Half as many examples at once from the next step on, or a failure where that cannot be."""
        half = error.at_once // 2
        costs = self._run.repeated() if self._run is not None else Costs(0.0)
        needed = "" if costs.peak_memory_b is None else f"; {format_quantity(costs.peak_memory_b, 'B')} were in use"
        why_not = error.undivided or ("" if half else "fewer there cannot be")
        if why_not:
            return self._failure(f"{error}{needed}; {why_not}")
        self.drop()
        self._at_once = half
        reason = f"{error}{needed}; tried again with {half} at once, which changes its numbers by rounding alone"
        self._log(reason)
        found = {"reason": abridged(reason), "lost": dataclasses.asdict(costs), "at_once": half}
        return {"divided": json.dumps(found, allow_nan=False)}

    def _failure(self, reason: str, trace: str = "") -> dict[str, Any]:
        self.ended = True
        self._log(abridged(f"failed: {reason}\n{trace}".rstrip(), LOG_LENGTH))
        lost: dict[str, Any] | None = None
        if self._run is not None:
            with contextlib.suppress(Exception):  # whatever broke the trial may have broken its meters
                lost = dataclasses.asdict(self._run.unreported())
        self.drop()
        return {"failure": json.dumps({"reason": abridged(reason), "lost": lost}, allow_nan=False)}

    def _log(self, text: str) -> None:
        """A line to the trial's log."""
        self._settings.results.log(self._trial.trial, text)
