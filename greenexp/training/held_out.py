"""A chosen trial on the test set: its best epoch's model, evaluated once, as on dev."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from greenexp.errors import InputError
from greenexp.methods.adapt import trial_shape
from greenexp.methods.base import MethodRun
from greenexp.model import MultiExitModel, load_model, load_serving
from greenexp.records.epoch import ExitScore
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.progress import Epochs
from greenexp.records.trial import TrialSpec
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.evaluation import evaluate
from greenexp.training.isolation import epoch_seed, isolated
from greenexp.training.precision import choose_precision
from greenexp.training.scoring import exit_metrics, selected_score


def evaluate_held_out(
    trial: TrialSpec,
    data: PreparedTask,
    model_folder: Path,
    epoch: Epochs,
    *,
    threads: int = 1,
    gpu: bool = False,
    precision: str = "auto",
    at_once: int | None = None,
    logits_folder: Path | None = None,
) -> HeldOutRecord:
    """The test scores of the model in `model_folder`, which the trial had after its best `epoch`.

    precision: the number format the trial was evaluated with on dev. The same exits and metrics as there.
    at_once: examples of training that were computed at once where more did not fit into memory
    Raises InputError if the task has no labelled test set, CheckpointError if the model cannot be read.
    """
    test = data.test
    if test is None:
        raise InputError("the task has no labelled test set")
    device = torch.device("cuda" if gpu else "cpu")
    training, metric = trial.settings.training, trial.settings.metric
    with isolated(epoch_seed(trial.seeds.order, 0), threads, device):
        model = load_model(model_folder, data.num_labels, device=str(device))
        exits = _trained_exits(model, trial, data, model_folder, epoch)
        found = evaluate(
            model,
            test,
            exits=exits,
            batch_size=training.evaluation_batch_size if at_once is None else 2 * at_once,
            pad_id=data.pad_id,
            masking=data.masking,
            precision=choose_precision(precision, device, model.backbone.hidden_size),
            device=device,
        )
        flops = [float(model.inference_flops(test.lengths, number).mean()) for number in exits]
    metrics = exit_metrics(found.logits, test.labels, data.metrics, metric, step=0, tokens=found.tokens)
    score, _ = selected_score(exits, metrics, metric)
    stored = None
    if logits_folder is not None:
        costs = model.exit_costs(test.lengths, exits)
        held = StoredLogits.of(found.logits, test.labels, test.lengths, exits, costs, found.learned)
        stored = write_logits(logits_folder, held)
    scores = (
        ExitScore(number, model.exit_layers[number - 1], values, cost)
        for number, values, cost in zip(exits, metrics, flops, strict=True)
    )
    return HeldOutRecord(epoch, len(test), score, tuple(scores), stored)


def _trained_exits(
    model: MultiExitModel, trial: TrialSpec, data: PreparedTask, folder: Path, epoch: Epochs
) -> tuple[int, ...]:
    """As the model was saved with; of one saved without, by the method."""
    if (serving := load_serving(folder)) is not None:
        return serving.trained_exits
    shape = trial_shape(model, data, trial.settings.training, trial.seeds.order)
    run: MethodRun = trial.settings.method.plugin().begin(shape)
    return run.trained_exits(math.ceil(epoch))
