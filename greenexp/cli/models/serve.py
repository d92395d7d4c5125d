"""The command `greenexp serve`."""

from __future__ import annotations

import logging
from typing import Any

import click

from greenexp.cli.models.engines import EngineChoice, engine_options, load_engine
from greenexp.cli.models.quantities import quantity


@click.command()
@engine_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--max-wait", callback=quantity("s"), default="5ms", show_default=True, help="Wait so long for a batch.")
@click.option("--max-body", callback=quantity("B"), default="1MB", show_default=True, help="Largest request.")
@click.option("--max-text", type=int, default=20_000, show_default=True, help="Longest text, in characters.")
@click.option("--max-inputs", type=int, default=64, show_default=True, help="Most examples in one request.")
@click.option("--max-queue", type=int, default=1_024, show_default=True, help="Most examples that wait.")
@click.option("--timeout", callback=quantity("s"), default="30s", show_default=True, help="Longest wait for an answer.")
@click.option(
    "--grace", callback=quantity("s"), default="10s", show_default=True, help="For what is in flight at the end."
)
@click.option("--access-log", is_flag=True, help="A line per request on stderr.")
def serve(
    host: str,
    port: int,
    max_wait: float,
    max_body: float,
    max_text: int,
    max_inputs: int,
    max_queue: int,
    timeout: float,
    grace: float,
    access_log: bool,
    **options: Any,
) -> None:
    """RUN is a sweep's folder or a model's (default: the newest sweep under out/). It is served until Ctrl-C.

    POST /predict takes {"text": "..."} and its like, or {"inputs": [...]}; GET /health; GET /metrics. Requests that
    wait at one time share batches. The address is printed on stdout as soon as requests are taken.
    """
    from greenexp.inference.service.limits import Limits

    limits = Limits(int(max_body), max_text, max_inputs, max_queue, timeout, grace)
    from greenexp.inference.service import server

    with server.bind(host, port) as bound:
        address = server.address_of(bound)
        if not server.is_loopback(bound):
            click.echo(f"warning: whoever can reach {address} can use it: there is no authentication", err=True)
        choice = EngineChoice(**options)
        engine, found, policy = load_engine(choice)
        from greenexp.inference import Rebatcher
        from greenexp.inference.service.app import build_app

        about = {
            "model": found.trial,
            "policy": policy.text,
            "exits": list(engine.consulted),
            "labels": None if engine.label_names is None else list(engine.label_names),
            "pairs": None if engine.serving is None else engine.serving.pairs,
        }
        if access_log:
            logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler())
        queue = Rebatcher(engine, choice.batch_size, max_wait)
        app = build_app(engine, queue, limits, about, ready=lambda: click.echo(address))
        server.serve(app, bound, limits.shutdown_s, access_log=access_log)
        click.echo("stopped", err=True)
