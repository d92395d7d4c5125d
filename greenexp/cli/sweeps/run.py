"""The command `greenexp run`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.completion import complete_sweep
from greenexp.cli.sweeps.preview import print_preview
from greenexp.cli.sweeps.summary import INTERRUPTED, print_cut_short, print_summary
from greenexp.errors import InputError


@click.command()
@click.argument("sweep", default="smoke", metavar="[SWEEP]", shell_complete=complete_sweep)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a field of the sweep file.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Results folder (default: out/NAME).")
@click.option("--resume", is_flag=True, help="Continue the sweep in the results folder.")
@click.option("--fresh", is_flag=True, help="Move the sweep in the results folder aside and start a new one.")
@click.option("--address", metavar="ADDR", help="Run on this Ray cluster (default: a private Ray on this machine).")
@click.option("--open-cluster", is_flag=True, help="Join a Ray cluster that lets in clients without a token.")
@click.option("--ship", is_flag=True, help="Send plug-ins of installed packages to the cluster's nodes.")
@click.option("--from", "measured_in", metavar="DIR", help="Sweeps whose speed counts for the price (as in `plan`).")
@click.option("--calibrate", is_flag=True, help="Measure the speed of what no sweep has trained here, for the price.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve metrics for Prometheus at this port, such as 9464; 0 takes a free one.",
)
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Address to serve metrics at.")
@click.option("--dry-run", is_flag=True, help="Print what would be run and its price, then stop.")
def run(
    sweep: str,
    overrides: tuple[str, ...],
    out: Path | None,
    resume: bool,
    fresh: bool,
    address: str | None,
    open_cluster: bool,
    ship: bool,
    measured_in: str | None,
    calibrate: bool,
    metrics_port: int | None,
    metrics_host: str,
    dry_run: bool,
) -> int:
    """SWEEP is a sweep file, or the name of a sweep that comes with greenexp; its report is written at the end.

    Ctrl-C ends it cleanly; --resume goes on where it ended, also after a crash.
    """
    from greenexp.cli.sweeps.progress import TerminalWatcher

    if resume and fresh:
        raise InputError("--resume and --fresh exclude each other")
    with TerminalWatcher(open_cluster=open_cluster) as watch:  # before the imports, which take seconds
        from greenexp.api import planning, running
        from greenexp.api.exporting import MetricsAddress

        if dry_run:
            running.RunOptions(out)  # refuses the address of a store
            print_preview(
                planning.plan(sweep, set=overrides, measured_in=measured_in, calibrate=calibrate, watch=watch)
            )
            return 0
        options = running.RunOptions(
            out,
            resume=resume,
            fresh=fresh,
            address=address,
            open_cluster=open_cluster,
            ship=ship,
            measured_in=measured_in,
            calibrate=calibrate,
            metrics=None if metrics_port is None else MetricsAddress(metrics_port, metrics_host),
        )
        try:
            done = running.run_sweep(sweep, overrides, options, watch)
        except KeyboardInterrupt:
            watch.ended()
            print_cut_short(sweep, overrides, options)
            return INTERRUPTED
    return print_summary(done, options)
