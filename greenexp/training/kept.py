"""What a trial leaves on disk at its best report so far: what its model needs to answer texts, and its dev logits."""

from __future__ import annotations

from pathlib import Path

from greenexp.model import Serving
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.tasks.prepared import PreparedSplit, PreparedTask
from greenexp.training.compressing import ReportedModel
from greenexp.training.evaluation import Evaluation


def serving_of(data: PreparedTask, exits: tuple[int, ...], task: str) -> Serving:
    """What a model needs beside its weights to answer texts."""
    return Serving(
        tokenizer=data.tokenizer,
        label_names=data.label_names,
        max_length=data.max_length,
        pad_id=data.pad_id,
        pairs=data.pairs,
        trained_exits=exits,
        task=task,
    )


def store_logits(folder: Path | None, dev: PreparedSplit, reported: ReportedModel, found: Evaluation) -> str | None:
    """Write what a report's exits said of `dev` into `folder`; its name there, None where nothing was to be written."""
    if folder is None or found.tokens is not None:  # of what pre-trains no policy is replayed
        return None
    costs = reported.exit_costs()
    stored = StoredLogits.of(found.logits, dev.labels, dev.lengths, reported.exits, costs, found.learned)
    return write_logits(folder, stored)
