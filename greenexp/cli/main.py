"""The `greenexp` command."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from inspect import cleandoc
from typing import Any, NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem

from greenexp.errors import BrokenOffError, GreenexpError, SweepFileError, did_you_mean
from greenexp.extras import TRAIN, missing
from greenexp.version import VERSION

BAD_INPUT = 2
BROKEN_OFF = 3
INTERRUPTED = 130


class CommandEntry(NamedTuple):
    """module: where the command is, below `greenexp.cli`; description: the one line that help begins with."""

    module: str
    description: str


GROUPS: dict[str, dict[str, CommandEntry]] = {
    "Sweeps": {
        "run": CommandEntry("sweeps.run", "Run a sweep, or continue one."),
        "plan": CommandEntry("sweeps.plan", "Show what a sweep would run, and its price, without running it."),
        "status": CommandEntry("sweeps.status", "Show the progress of a sweep."),
        "dashboard": CommandEntry("sweeps.dashboard", "Show sweeps in a browser, while they run and afterwards."),
        "report": CommandEntry("sweeps.report", "Write the show-your-work report of sweeps, or of any MLflow runs."),
        "checklist": CommandEntry("sweeps.checklist", "Fill conference checklists from a sweep's record."),
        "export": CommandEntry("sweeps.export", "Write a sweep's tables, a model for others, or an energy report."),
        "logs": CommandEntry("sweeps.logs", "Print what a trial logged."),
        "clean": CommandEntry("sweeps.clean", "Delete what a sweep's folder does not need."),
        "sync": CommandEntry("sweeps.sync", "Write to MLflow what a sweep's journal has and MLflow lacks."),
    },
    "Statistics of scores": {
        "curve": CommandEntry("scores.curve", "Print the tuning curve: the expected best score of n trials."),
        "compare": CommandEntry("scores.compare", "Print which group is better at which budget, with tests."),
        "seeds": CommandEntry("scores.seeds", "Print how much scores vary over seeds, and how many seeds are needed."),
        "front": CommandEntry("scores.front", "Print the Pareto front of score against cost, and its hypervolume."),
        "simulate": CommandEntry("scores.simulate", "Print what early stopping would have saved, from full curves."),
    },
    "Trained models": {
        "replay": CommandEntry("models.replay", "Print scores and costs of exit policies from recorded logits."),
        "predict": CommandEntry("models.predict", "Answer lines of text with a trained model that exits early."),
        "card": CommandEntry("models.card", "Write a model card for the Hugging Face hub."),
        "submit": CommandEntry("models.submit", "Write the submission files of GLUE or ELUE with a trained model."),
        "elue": CommandEntry("elue.group", "Score against a baseline, and write and check submissions, as ELUE does."),
        "serve": CommandEntry("models.serve", "Serve a trained model over HTTP."),
        "bench": CommandEntry("models.bench", "Measure how fast a trained model answers, and what early exit saves."),
        "measure": CommandEntry("models.measure", "Measure the energy of trials again, each alone on the machine."),
    },
    "This installation": {
        "ls": CommandEntry("ls", "List tasks, backbones, methods, policies, searches, schedulers or axes."),
        "doctor": CommandEntry("doctor", "Print what can be run and measured on this machine."),
    },
}
"""Group of commands -> its commands, each with its file and description, in the order people meet them."""

COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


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
            near = did_you_mean(cmd_name, COMMANDS)
            if near and not ctx.resilient_parsing:  # not while a shell completes a line
                raise click.UsageError(f"no such command '{cmd_name}'{near}")
            return None
        module, description = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"greenexp.cli.{module}"), cmd_name)
        details = command.callback.__doc__ or ""
        command.help = f"{description}\n\n{cleandoc(details)}"
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, without loading any, and the options of `greenexp` itself."""
        named = [(name, entry.description) for name, entry in COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=description) for name, description in named), *options]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click itself would end with 1 where the reader of our output has gone."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Name and one line each, by group, without loading any."""
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, entry.description) for name, entry in commands.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="greenexp")
def cli() -> None:
    """Budget-aware sweeps of multi-exit encoders, and the report that shows the work.

    Begin with `greenexp run smoke`, a sweep of under a minute. Exit codes: 0 done, 1 some trials failed, 2 the input
    cannot be run, 3 the machine broke a sweep off (`run --resume` goes on), 130 interrupted.
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
    except BrokenOffError as error:
        click.echo(f"error: {error}", err=True)
        code = BROKEN_OFF
    except GreenexpError as error:
        click.echo(f"error: {error}", err=True)
        code = BAD_INPUT
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in TRAIN:
            raise
        click.echo(f"error: {missing(module)}", err=True)
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
