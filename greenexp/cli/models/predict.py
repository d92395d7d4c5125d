"""The command `greenexp predict`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from greenexp.cli.models.options import batch_size_option, model_options, print_model, print_scores
from greenexp.cli.printing.remarks import warn
from greenexp.units import format_duration

if TYPE_CHECKING:
    from greenexp.api.engines import EngineOptions
    from greenexp.inference.answer_summary import AnswerSummary


@click.command()
@model_options
@batch_size_option
@click.option("--input", "file", default="-", metavar="FILE", help="What to answer, - for stdin (the default).")
@click.option("--plain", is_flag=True, help="Every line is a text as it stands, and no JSON.")
@click.option("--logits", is_flag=True, help="Logits of the exit taken, too.")
def predict(run: str, engine: EngineOptions, file: str, batch_size: int, plain: bool, logits: bool) -> int:
    """RUN is a sweep's folder or a model's (default: the newest sweep under out/).

    A line is {"text": "..."}, with "pair" for tasks on pairs, {"ids": [...]}, or a JSON text; "id" is handed back, and
    "label" is what the answer is compared with. For each there is one line of JSON on stdout, in order and at once:
    prediction, label, exit, layer (the number of layers that were run), confidence, inference_flops; or {"line": 3,
    "error": "..."}. Exit code 1 if there was an error.
    """
    from greenexp.api.models import answer_lines

    with answer_lines(run, file, engine, batch_size=batch_size, plain=plain, loaded=print_model) as answers:
        begin = time.perf_counter()
        for chunk in answers:
            click.echo("\n".join(json.dumps(line.fields(logits=logits), allow_nan=False) for line in chunk))
        click.echo(f"{_summary(answers.summary)} · {format_duration(time.perf_counter() - begin)} wall clock", err=True)
    for text in answers.summary.warnings:
        warn(text)
    print_scores(answers.summary.labelled, answers.dev)
    return 1 if answers.summary.errors else 0


def _summary(summary: AnswerSummary) -> str:
    """`90 examples, 2 errors · mean 3.21 of 6 layers (speed-up 1.87)`."""
    text = f"{summary.answers} examples, {summary.errors} errors"
    if summary.mean_layers is None:
        return text
    return f"{text} · mean {summary.mean_layers:.2f} of {summary.layers} layers (speed-up {summary.speed_up:.2f})"
