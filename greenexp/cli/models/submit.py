"""The command `greenexp submit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.models.engines import EngineChoice, engine_options, load_engine
from greenexp.cli.printing.newest import or_newest
from greenexp.errors import InputError
from greenexp.sources.checkpoints import FoundModel, find_model, recorded_settings

if TYPE_CHECKING:
    from greenexp.inference import Answer, EarlyExitEngine
    from greenexp.records.sections import TaskChoice
    from greenexp.tasks.unlabelled import UnlabelledSplit

FOLDER = "submission"


@click.command()
@engine_options
@click.option("--exit", "number", type=click.IntRange(min=1), metavar="N", help="Answers of this exit alone.")
@click.option("--out", "folder", type=click.Path(path_type=Path), help=f"Folder to write to (default: SWEEP/{FOLDER}).")
def submit(number: int | None, folder: Path | None, **options: Any) -> None:
    """RUN is a sweep's folder or a model's; the model is chosen as in `predict`.

    Without --exit, --policy and --speed-up every answer is that of the last exit
    that was trained. Each file has a row per row of the test set, in its order.
    """
    choice = _with_exit(EngineChoice(**options), number)
    found = find_model(or_newest(choice.source), choice.trial)
    splits = _unlabelled(recorded_settings(found).task)
    engine, _, _ = load_engine(choice)
    if number is not None and engine.consulted != (number,):
        trained = engine.model.exits if engine.serving is None else engine.serving.trained_exits
        raise InputError(
            f"exit {number} of this model was not trained; those that were: {', '.join(map(str, trained))}"
        )
    written = {split.form.file: _lines(engine, split, choice.batch_size) for split in splits.values()}
    _write(written, folder or _default_folder(found))


def _with_exit(choice: EngineChoice, number: int | None) -> EngineChoice:
    """The choice with `static` as its policy, at exit `number` or the last, where it names none."""
    if choice.policy is None and choice.speed_up is None:
        return replace(choice, policy="static" if number is None else f"{{name: static, exit: {number}}}")
    if number is not None:
        raise InputError("--exit is a policy of its own: give it without --policy and --speed-up")
    return choice


def _unlabelled(choice: TaskChoice) -> Mapping[str, UnlabelledSplit]:
    """The test sets without labels of a trial's task. Raises InputError where it has none, or they cannot be read."""
    from greenexp.tasks import TASKS
    from greenexp.tasks.unlabelled import HasUnlabelled

    task = choice.plugin()
    if not isinstance(task, HasUnlabelled):
        able = [other for other in TASKS if hasattr(TASKS[other], "unlabelled")]
        raise InputError(
            f"task '{choice.name}' has no test set whose labels a leaderboard keeps, so there is nothing to hand in "
            f"(tasks that have: {', '.join(able)})"
        )
    unlabelled: Mapping[str, UnlabelledSplit] = task.unlabelled()
    return unlabelled


def _lines(engine: EarlyExitEngine, split: UnlabelledSplit, batch_size: int) -> list[str]:
    """The file for one test set, and a line on stderr that says what is in it."""
    examples: Sequence[Any] = split.texts if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))
    answers = engine.answer(engine.encode(examples), batch_size)
    lines = list(split.form.lines([_told(engine, answer) for answer in answers]))
    if len(lines) != len(split) + 1:
        raise ValueError(f"{len(lines) - 1} answers for {len(split)} rows")
    layers = sum(answer.layer for answer in answers) / len(answers)
    counts = sorted(Counter(answer.label for answer in answers if answer.label is not None).items())
    classes = f" ({', '.join(f'{label} {count:,}' for label, count in counts)})" if counts else ""
    click.echo(
        f"{split.form.file:<13} {len(answers):,} answers{classes}, "
        f"mean {layers:.2f} of {engine.model.backbone.num_layers} layers",
        err=True,
    )
    return lines


def _told(engine: EarlyExitEngine, answer: Answer) -> str | float:
    """A class by its name, which no order of classes can confuse; a value as it is."""
    return answer.prediction if engine.model.num_labels == 1 else str(answer.label)


def _default_folder(found: FoundModel) -> Path:
    return (found.sweep or found.folder) / FOLDER


def _write(files: Mapping[str, Sequence[str]], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
            click.echo(folder / name)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
