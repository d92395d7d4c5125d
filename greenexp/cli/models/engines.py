"""What every command that runs a trained model asks for, and the engine that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from greenexp.cli.models.policies import AskedPolicy, ask_policy
from greenexp.cli.printing.newest import or_newest
from greenexp.sources.checkpoints import FoundModel, find_model

if TYPE_CHECKING:
    from greenexp.inference import EarlyExitEngine

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.argument("source", metavar="[RUN]", required=False),
    click.option("--trial", metavar="NAME", help="Another trial of the sweep than the chosen one that is best on dev."),
    click.option(
        "--policy", metavar="TEXT",
        help="When to exit: NAME, NAME:VALUE, NAME:VALUE,option=value, or {name: ..., threshold: {1: 0.2, 2: 0.1}}.",
    ),
    click.option(
        "--speed-up", type=click.FloatRange(min=1), metavar="X",
        help="Choose the threshold: the best on dev of those at least X times faster, in layers.",
    ),
    click.option("--calibrated", is_flag=True, help="With a temperature per exit, fitted on dev."),
    click.option("--check-every", type=click.IntRange(min=1), default=1, metavar="K", help="Consult every K-th exit."),
    click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True),
    click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads PyTorch uses (default: its own)."),
)  # fmt: skip
_BATCH_SIZE = click.option(
    "--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Examples at once."
)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The values of `engine_options`."""

    source: str | None
    trial: str | None
    policy: str | None
    speed_up: float | None
    calibrated: bool
    check_every: int
    batch_size: int
    precision: str
    threads: int | None


def engine_options(command: F) -> F:
    """Adds RUN and the options a model is served with; together they are the fields of `EngineChoice`."""
    return model_options(_BATCH_SIZE(command))


def model_options(command: F) -> F:
    """`engine_options` without the batch size."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_engine(choice: EngineChoice) -> tuple[EarlyExitEngine, FoundModel, AskedPolicy]:
    """The engine that was asked for; what it is, is said on stderr."""
    found = find_model(or_newest(choice.source), choice.trial)
    policy = ask_policy(found, choice.policy, choice.speed_up, choice.check_every, calibrated=choice.calibrated)
    import torch

    from greenexp.inference import EarlyExitEngine

    if choice.threads is not None:
        torch.set_num_threads(choice.threads)
    engine = EarlyExitEngine.load(
        found.folder,
        policy.policy,
        check_every=choice.check_every,
        temperatures=policy.temperatures,
        precision=choice.precision,
    )
    click.echo(
        f"model         {found.trial}, exits {', '.join(map(str, engine.consulted))}  ({found.folder})", err=True
    )
    if engine.serving is None:
        click.echo("              which exits were trained is not on record: any of them may be consulted", err=True)
    click.echo(f"policy        {policy.text}", err=True)
    for note in policy.notes:
        click.echo(f"              {note}", err=True)
    return engine, found, policy
