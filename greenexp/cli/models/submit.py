"""The command `greenexp submit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenexp.cli.models.options import batch_size_option, model_options, print_model, print_scores
from greenexp.cli.printing.remarks import warn

if TYPE_CHECKING:
    from greenexp.api.engines import EngineOptions
    from greenexp.inference.submission import SubmissionFile


@click.command()
@model_options
@batch_size_option
@click.option("--exit", "number", type=click.IntRange(min=1), metavar="N", help="Answers of this exit alone.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: SWEEP/submission).")
def submit(run: str, engine: EngineOptions, batch_size: int, number: int | None, out: Path | None) -> None:
    """RUN is a sweep's folder or a model's; the model is chosen as in `predict`.

    Without --exit, --policy and --speed-up every answer is that of the last exit
    that was trained. Each file has a row per row of the test set, in its order.
    """
    from greenexp.api.models import submit as submission_of

    submission = submission_of(run, engine, exit=number, batch_size=batch_size, loaded=print_model)
    for file in submission.files:
        click.echo(_about(file), err=True)
        for text in file.summary.warnings:
            warn(text)
    print_scores(None, submission.dev)
    for path in submission.write(out):
        click.echo(path)


def _about(file: SubmissionFile) -> str:
    """`RTE.tsv  3,000 answers (entailment 1,500, not_entailment 1,500), mean 4.10 of 6 layers`."""
    summary = file.summary
    counts = ", ".join(f"{name} {count:,}" for name, count in summary.classes.items())
    answers = f"{summary.answers:,} answers{f' ({counts})' if counts else ''}"
    return f"{file.name:<13} {answers}, mean {summary.mean_layers:.2f} of {summary.layers} layers"
