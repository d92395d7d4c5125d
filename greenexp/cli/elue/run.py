"""The command `greenexp elue run`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.completion import complete_sweep
from greenexp.cli.printing.remarks import note


@click.command()
@click.argument("sweep", default="elue", metavar="[SWEEP]", shell_complete=complete_sweep)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a field, for every task.")
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Only this task; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out"), metavar="DIR", show_default=True,
              help="Folder in which each task's results folder is made.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Continue the sweeps in the results folders.")
@click.option("--dry-run", is_flag=True, help="Print what would be run and its price, then stop.")
@click.pass_context
def run(
    ctx: click.Context,
    sweep: str,
    overrides: tuple[str, ...],
    tasks: tuple[str, ...],
    out: Path,
    *,
    resume: bool,
    dry_run: bool,
) -> int:
    """SWEEP is a sweep file of the task elue, or the name of a sweep that comes with greenexp.

    It is run once for each task, one after another, each with a folder of its
    own; a task whose files are not there is named and left out.
    """
    from greenexp.api.elue_tasks import run_tasks
    from greenexp.cli.sweeps.run import run as run_command

    runs, left_out = run_tasks(sweep, tasks=tasks, overrides=overrides, out=out)
    for task, why in left_out.items():
        note(f"{task} is left out: {why}")
    worst = 0
    for task, one in runs.items():
        click.echo(f"\n{task}", err=True)
        resumed = resume and one.out.is_dir()
        code = ctx.invoke(
            run_command, sweep=sweep, overrides=one.overrides, out=one.out, resume=resumed, dry_run=dry_run,
            metrics_host="127.0.0.1",
        )  # fmt: skip
        worst = max(worst, int(code or 0))
    return worst
