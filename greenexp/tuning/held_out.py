"""The chosen configuration on the test set: all its seeds, each once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import ray
from ray.exceptions import RayError

from greenexp.errors import GreenexpError, abridged
from greenexp.journal.state import TrialState
from greenexp.plan.data import data_key
from greenexp.plan.plugins import add_plugins
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.progress import Epochs
from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSpec
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.held_out import evaluate_held_out
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.delivered_tokens import asking, fetch_tokens
from greenexp.tuning.energy import OwnSampler
from greenexp.tuning.models import model_folder
from greenexp.tuning.taker import WorkerSettings

Answer = HeldOutRecord | str | None


def evaluate_chosen(
    conductor: Conductor, settings: WorkerSettings, prepare: Callable[[Settings], PreparedTask], *, here: bool
) -> list[str]:
    """Evaluate what has been chosen on dev, journal it, and return what could not be evaluated, in words.

    here: in this process, which has tokens and models and all that is imported; else on the cluster, where the GPUs
    are. A model that has been evaluated before is not evaluated again: resuming a finished sweep is no second look.
    """
    waiting = [trial for trial in conductor.state.chosen if not _known(trial)]
    if here:
        answers = [_evaluate(t.spec, prepare(t.spec.settings), settings, *_best(t)) for t in waiting]
    else:
        answers = _on_the_cluster(waiting, settings)
    problems = []
    for trial, answer in zip(waiting, answers, strict=True):
        if isinstance(answer, HeldOutRecord):
            conductor.held_out(trial.spec.trial, answer)
        elif answer is not None:
            problems.append(f"{trial.spec.trial} was not evaluated on test: {answer}")
    return problems


def _known(trial: TrialState) -> bool:
    return any(record.epoch == trial.best_epoch for _, record in trial.held_out)


def _best(trial: TrialState) -> tuple[Epochs, str, int | None]:
    """The best epoch, the number format it was evaluated in, and the examples at once where more did not fit."""
    epoch = trial.best_epoch or 0
    record = trial.records.get(epoch)
    precision = "auto" if record is None else record.computed_with.get("precision", "auto")
    return epoch, precision, trial.micro_batch_size


def _on_the_cluster(waiting: list[TrialState], settings: WorkerSettings) -> list[Answer]:
    evaluate = ray.remote(_evaluate).options(num_cpus=settings.threads, num_gpus=settings.gpus)
    asked = [evaluate.remote(t.spec, settings.data[data_key(t.spec.settings)], settings, *_best(t)) for t in waiting]
    answers: list[Answer] = []
    for reference in asked:
        try:
            answers.append(ray.get(reference))
        except RayError as error:
            answers.append(abridged(f"the worker died: {error}"))
    return answers


def _evaluate(
    spec: TrialSpec, data: PreparedTask, settings: WorkerSettings, epoch: Epochs, precision: str, at_once: int | None
) -> Answer:
    """The record, None where the task has no test set, or in words why there is none."""
    if data.test is None:
        return None
    results = settings.results
    try:
        add_plugins(settings.plugins)
        if settings.tokens is not None:
            fetch_tokens(data, asking(settings.tokens))
        if settings.energy is not None and settings.gpus > 0:
            OwnSampler(settings.energy).add_own(os.getpid())
        with results.fetched(model_folder(Path(), spec.trial).as_posix()) as folder:
            record = evaluate_held_out(
                spec,
                data,
                folder,
                epoch,
                threads=settings.threads,
                gpu=settings.gpus > 0,
                precision=precision,
                at_once=at_once,
                logits_folder=results.folder / "logits",
            )
        results.settle()
        return record
    except GreenexpError as error:
        return abridged(str(error))
    except Exception as error:  # a plug-in's own code may raise anything
        return abridged(f"{type(error).__name__}: {error}")
    finally:
        results.close()
