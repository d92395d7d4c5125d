"""Answers to a leaderboard's test sets, in the files that it wants handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import InputError
from greenexp.inference.answer_summary import AnswerSummary, AnswerTally
from greenexp.inference.answers import Answer
from greenexp.inference.engine import EarlyExitEngine
from greenexp.replay.serving_policy import DevScores
from greenexp.tasks.unlabelled import UnlabelledSplit


@dataclass(frozen=True, slots=True)
class SubmissionFile:
    """One file. name: as the leaderboard wants it; lines: without their ends; summary: of its answers."""

    name: str
    lines: tuple[str, ...]
    summary: AnswerSummary


@dataclass(frozen=True, slots=True)
class Submission:
    """All files of one task.

    folder: where they are written if no other folder is named; dev: what the model scores on dev when it answers so,
    with its baselines; None where that is not on record
    """

    files: tuple[SubmissionFile, ...]
    folder: Path
    dev: DevScores | None = None

    def write(self, folder: str | Path | None = None) -> tuple[Path, ...]:
        """Write the files, and return where they are. Raises InputError where that is not possible."""
        target = self.folder if folder is None else Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
            for file in self.files:
                (target / file.name).write_text("\n".join(file.lines) + "\n", encoding="utf-8", newline="\n")
        except OSError as error:
            raise InputError(f"cannot write {target}: {error.strerror or error}") from error
        return tuple(target / file.name for file in self.files)


def submission_files(
    engine: EarlyExitEngine, splits: Mapping[str, UnlabelledSplit], batch_size: int
) -> tuple[SubmissionFile, ...]:
    """The file of each test set: a row per example, in its order. Raises InputError for answers of another kind."""
    return tuple(_file(engine, split, batch_size) for split in splits.values())


def _file(engine: EarlyExitEngine, split: UnlabelledSplit, batch_size: int) -> SubmissionFile:
    examples: Sequence[Any] = split.texts if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))
    answers = engine.answer(engine.encode(examples), batch_size)
    lines = tuple(split.form.lines([_written(engine, answer) for answer in answers]))
    if len(lines) != len(split) + 1:
        raise ValueError(f"{len(lines) - 1} answers for {len(split)} rows")
    tally = AnswerTally(engine.model.backbone.num_layers)
    for answer in answers:
        tally.answer(answer)
    return SubmissionFile(split.form.file, lines, tally.summary())


def _written(engine: EarlyExitEngine, answer: Answer) -> str | float:
    """A class by its name, which no order of classes can confuse; a value as it is."""
    return answer.prediction if engine.model.num_labels == 1 else str(answer.label)
