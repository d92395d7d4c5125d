"""The command `greenexp elue`, which holds the others."""

from __future__ import annotations

from importlib import import_module

import click

from greenexp.errors import did_you_mean

_DESCRIPTIONS = {
    "run": "Run a sweep on every task whose files are there.",
    "score": "Print how high operating points lie over a named baseline at equal FLOPs.",
    "board": "Print a board of models over ELUE's tasks, with averages and tracks by parameters.",
    "submit": "Write a trained model's submission files: operating points, modules and model.py.",
    "check": "Check a submission, and count the FLOPs of its rows.",
}


class _Subcommands(click.Group):
    """Loads a subcommand's file only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_DESCRIPTIONS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _DESCRIPTIONS:
            near = did_you_mean(cmd_name, _DESCRIPTIONS)
            if near and not ctx.resilient_parsing:  # not while a shell completes a line
                raise click.UsageError(f"no such command 'elue {cmd_name}'{near}")
            return None
        command: click.Command = getattr(import_module(f"greenexp.cli.elue.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Name and one line each, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_DESCRIPTIONS.items()))


@click.group(cls=_Subcommands)
def elue() -> None:
    """ELUE (Liu et al., NAACL 2022) compares efficient models by their points of performance and FLOPs.

    docs/elue.md goes through a whole example.
    """
