"""The command `greenexp dashboard`."""

from __future__ import annotations

import click

from greenexp.cli.printing.remarks import warn
from greenexp.extras import require


@click.command()
@click.argument("sources", metavar="[DIR|URI]...", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8200, show_default=True, help="0 takes a free one.")
@click.option("--token", default="", help="What a browser must give (default: one is made where others can reach it).")
@click.option("--name", "names", multiple=True, help="A host name that the dashboard answers to; may be repeated.")
@click.option("--embed", "embedded", is_flag=True, help="Let other sites show its pages in a frame.")
@click.option("--open", "opened", is_flag=True, help="Open it in a browser.")
def dashboard(
    sources: tuple[str, ...],
    host: str,
    port: int,
    token: str,
    names: tuple[str, ...],
    embedded: bool,
    opened: bool,
) -> None:
    """Each source is a sweep's folder, a folder of sweeps, or an MLflow address (default: the sweeps under out/).

    Sweeps that run are shown as they go on. The dashboard reads and changes nothing. Its address is printed on stdout;
    it is served until Ctrl-C.
    """
    require("starlette")
    from greenexp.dashboard.serving import DashboardPlace, serve_dashboard

    def ready(address: str) -> None:
        click.echo(address)
        if "?" in address:
            warn("whoever has this address with its token can see the sweeps")
        if opened:
            click.launch(address)

    serve_dashboard(sources, DashboardPlace(host, port, token, names, embedded), ready)
    click.echo("stopped", err=True)
