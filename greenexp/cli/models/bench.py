"""The command `greenexp bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.models.options import model_options
from greenexp.cli.printing.text_table import print_json

if TYPE_CHECKING:
    from greenexp.api.engines import EngineOptions


def _sizes(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    """The numbers of `1,16,64`, ascending, each once."""
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) >= 1 for part in parts):
        raise click.BadParameter(f"{value!r}: expected whole numbers from 1, as in 1,16,64")
    return tuple(sorted({int(part) for part in parts}))


@click.command()
@model_options
@click.option(
    "--examples", type=click.IntRange(min=1), default=256, show_default=True, metavar="N", help="Number of texts."
)
@click.option(
    "--batch", "batch_sizes", callback=_sizes, default="1,16,64", show_default=True, help="Examples per request."
)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, metavar="R", help="Repeats.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--compile", "compiled", is_flag=True, help="Through torch.compile, segment by segment.")
@click.option("--latency", type=click.Path(path_type=Path), metavar="FILE", help="Write seconds by exit and length.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def bench(run: str, engine: EngineOptions, as_json: bool, **options: Any) -> None:
    """RUN is a sweep's folder or a model's (default: the newest sweep under out/), timed on its test texts.

    In one run, taking turns: the engine with its policy, the same without exits, the same with every exit evaluated and
    no early exit, the plain transformers model of the same weights, and, of a model that `export --format onnx` wrote
    as graphs, ONNX Runtime's whole model in fp32 and int8. Batch 1 is unpadded; larger batches hold texts of similar
    length. Printed are times per request, the speed-up in layers, FLOPs and seconds, whether early exit is faster than
    the fastest model without it, and what was not measured.
    """
    from greenexp.api.models import bench as benchmark
    from greenexp.cli.models.bench_layout import report_lines

    report = benchmark(run, engine, tell=lambda line: click.echo(line, err=True), **options)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(report_lines(report)))
