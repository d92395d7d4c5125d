"""The command `greenexp serve`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from greenexp.api.watching import ServiceWatcher
from greenexp.cli.models.options import batch_size_option, model_options, print_model
from greenexp.cli.printing.quantities import quantity
from greenexp.cli.printing.remarks import warn

if TYPE_CHECKING:
    from greenexp.api.engines import EngineOptions, ServedModel


@click.command()
@model_options
@batch_size_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--max-wait", callback=quantity("s"), default="5ms", show_default=True, help="Longest wait for a batch to fill."
)
@click.option("--max-body", callback=quantity("B"), default="1MB", show_default=True, help="Largest request.")
@click.option("--max-text", type=int, default=20_000, show_default=True, help="Longest text, in characters.")
@click.option("--max-inputs", type=int, default=64, show_default=True, help="Most examples in one request.")
@click.option("--max-queue", type=int, default=1_024, show_default=True, help="Most examples that wait.")
@click.option("--timeout", callback=quantity("s"), default="30s", show_default=True, help="Longest wait for an answer.")
@click.option(
    "--grace",
    callback=quantity("s"),
    default="10s",
    show_default=True,
    help="Longest wait at the end for open requests.",
)
@click.option("--access-log", is_flag=True, help="A line per request on stderr.")
def serve(
    run: str,
    engine: EngineOptions,
    host: str,
    port: int,
    batch_size: int,
    max_wait: float,
    max_body: float,
    max_text: int,
    max_inputs: int,
    max_queue: int,
    timeout: float,
    grace: float,
    access_log: bool,
) -> None:
    """RUN is a sweep's folder or a model's (default: the newest sweep under out/). It is served until Ctrl-C.

    POST /predict takes {"text": "..."}, with the fields of `predict`, or {"inputs": [...]}; GET /health; GET /metrics.
    Waiting requests are batched. The address is printed on stdout as soon as requests are taken.
    """
    from greenexp.api.serving import ServiceOptions
    from greenexp.api.serving import serve as serve_model
    from greenexp.inference.service.limits import Limits

    limits = Limits(int(max_body), max_text, max_inputs, max_queue, timeout, grace)
    service = ServiceOptions(host, port, batch_size, max_wait, limits, access_log)
    serve_model(run, engine, service, _Printer())
    click.echo("stopped", err=True)


class _Printer(ServiceWatcher):
    """Prints the address on stdout, for programs, and everything else on stderr."""

    def bound(self, address: str, *, loopback: bool) -> None:
        if not loopback:
            warn(f"whoever can reach {address} can use it: there is no authentication")

    def loaded(self, model: ServedModel) -> None:
        print_model(model)

    def ready(self, address: str, example: Mapping[str, Any]) -> None:
        click.echo(address)
        click.echo(f"for example:  curl {address}/predict -d {shlex.quote(json.dumps(example))}", err=True)
