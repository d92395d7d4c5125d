"""Options that commands about a trained model share, and what such a command says of the model and its answers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.printing.newest import or_newest

if TYPE_CHECKING:
    from greenexp.api.engines import ServedModel
    from greenexp.inference.answer_summary import LabelledAccuracy
    from greenexp.replay.serving_policy import DevScores

_OPTIONS = (
    click.argument("source", metavar="[RUN]", required=False),
    click.option("--trial", metavar="NAME", help="Another trial of the sweep than the chosen one that is best on dev."),
    click.option(
        "--policy",
        metavar="TEXT",
        help="When to exit: NAME, NAME:VALUE, NAME:VALUE,option=value, or {name: ..., threshold: {1: 0.2, 2: 0.1}}.",
    ),
    click.option(
        "--speed-up",
        type=click.FloatRange(min=1),
        metavar="X",
        help="Choose the threshold: the best on dev of those at least X times faster, in layers.",
    ),
    click.option("--calibrated", is_flag=True, help="With a temperature per exit, fitted on dev."),
    click.option("--check-every", type=click.IntRange(min=1), default=1, metavar="K", help="Consult every K-th exit."),
    click.option("--precision", type=click.Choice(["fp32", "bf16", "int8"]), default="fp32", show_default=True),
    click.option(
        "--backend",
        type=click.Choice(["torch", "onnxruntime"]),
        default="torch",
        show_default=True,
        help="Who computes; onnxruntime needs `greenexp export --format onnx`, and has fp32 and int8.",
    ),
    click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads PyTorch uses (default: its own)."),
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Examples at once."
)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds RUN and the options of the engine; the command gets them as `run`, a path, and `engine`, `EngineOptions`."""

    @functools.wraps(command)
    def bundled(source: str | None, **values: Any) -> Any:
        from greenexp.api.engines import EngineOptions  # not before a command runs: help is to be quick

        options = {field.name: values.pop(field.name) for field in dataclasses.fields(EngineOptions)}
        return command(run=or_newest(source), engine=EngineOptions(**options), **values)

    added: Callable[..., Any] = bundled
    for option in reversed(_OPTIONS):
        added = option(added)
    return added


def print_model(model: ServedModel) -> None:
    """Which model this is, and its policy."""
    exits = ", ".join(map(str, model.engine.consulted))
    click.echo(f"model         {model.found.trial}, exits {exits}  ({model.found.folder})", err=True)
    if model.engine.serving is None:
        click.echo("              which exits were trained is not on record: any of them may be consulted", err=True)
    click.echo(f"policy        {model.policy.text}", err=True)
    for line in model.policy.notes:
        click.echo(f"              {line}", err=True)


def print_scores(labelled: LabelledAccuracy | None, dev: DevScores | None) -> None:
    """The accuracy beside its baselines, over the labelled examples, or else on dev."""
    if labelled is not None:
        parts = [f"accuracy {labelled.accuracy:.4f}", f"last exit {labelled.last_exit_accuracy:.4f}"]
        parts.append(f"always '{labelled.majority_class}' {labelled.majority_share:.4f}")
        click.echo(f"labelled      {labelled.examples:,} examples: {' · '.join(parts)}", err=True)
    elif dev is not None:
        parts = [f"{dev.metric} {dev.policy:.4f}", f"last exit {dev.last_exit:.4f}"]
        parts += [] if dev.majority_share is None else [f"always the most frequent class {dev.majority_share:.4f}"]
        click.echo(f"on dev        {dev.examples:,} examples: {' · '.join(parts)}", err=True)
