"""The `greenexp` command."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

import click

from greenexp import __version__
from greenexp.errors import GreenexpError, SweepFileError

BAD_INPUT = 2
INTERRUPTED = 130

COMMANDS = {
    "run": "Run a sweep, or go on with one.",
    "plan": "Show what a sweep would run, and its price, without running it.",
    "status": "Show where a sweep stands.",
    "report": "Write the show-your-work report of recorded sweeps.",
    "curve": "Print the best score to expect of so many trials, or for so much, from any table of scores.",
    "compare": "Print which of several groups of scores is better at which budget, and how sure that is.",
    "seeds": "Print what seeds do to scores, how many it takes, and which methods they tell apart.",
    "front": "Print which points of score and cost are worth having, and whose front is better.",
    "simulate": "Print what stopping trials early would have saved, over recorded full curves.",
    "export": "Write a sweep's tables as Parquet or CSV.",
    "replay": "Say what exit policies would do with a sweep's recorded logits.",
    "predict": "Answer lines of text with a trained model that exits early.",
    "submit": "Write a leaderboard's submission files, GLUE's or ELUE's, with a trained model.",
    "serve": "Serve a trained model over HTTP.",
    "bench": "Measure how fast a trained model answers, and what early exit saves.",
    "logs": "Print what a trial logged.",
    "sync": "Bring MLflow level with a sweep's journal.",
    "ls": "List tasks, backbones, methods, policies, schedulers or axes.",
    "doctor": "Say what can be run and measured on this machine.",
}


class ReaderGoneError(Exception):
    """Nobody reads our output any more, as with `| head`."""


class Commands(click.Group):
    """Loads a command's file only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"greenexp.cli.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click itself would end with 1 where the reader of our output has gone."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Name and one line each, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="greenexp")
def cli() -> None:
    """Budget-aware sweeps of multi-exit encoders, and the report that shows the work.

    Begin with `greenexp run smoke`, a sweep of under a minute. Exit codes: 0 done, 1 some trials failed, 2 the input
    cannot be run, 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; errors made on purpose become one message and an exit code, never a traceback."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code: Any = cli.main(args=arguments, prog_name="greenexp", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except SweepFileError as error:
        click.echo(str(error), err=True)  # a line per problem, each beginning with its place
        code = BAD_INPUT
    except GreenexpError as error:
        click.echo(f"error: {error}", err=True)
        code = BAD_INPUT
    except ReaderGoneError:
        sys.stdout = None  # so that the exit itself stays quiet
        code = 0
    except OSError as error:
        click.echo(f"error: {error.strerror or error}: {error.filename or 'no file named'}", err=True)
        code = BAD_INPUT
    sys.exit(code if isinstance(code, int) else 0)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A line for a person: where in the code it arose is of no use to one who wrote a sweep file."""
    click.echo(f"warning: {message}", err=True)
