"""The command `greenexp export`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.remarks import warn_of_tables

TABLES, HUB, ONNX, ELASTICBERT, BOAMPS = ("parquet", "csv"), "hub", "onnx", "elasticbert", "boamps"
OF_MODELS = (HUB, ONNX, ELASTICBERT)


@click.command()
@click.argument("source", metavar="[DIR|URI]", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to, or file of boamps (default: in DIR).")
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option(
    "--format", "kind", type=click.Choice([*TABLES, *OF_MODELS, BOAMPS]), default="parquet", show_default=True
)
@click.option("--trial", metavar="NAME", help="With a model: another trial than the chosen one best on dev.")
def export(source: str | None, sweep: str | None, out: Path | None, kind: str, trial: str | None) -> None:
    """The sweep lies in DIR (default: the newest under out/), or is recorded at the MLflow URI.

    parquet and csv: a file per table, in DIR/tables. hub: a trained model with its card, for the Hugging Face hub, in
    DIR/hub; DIR may also be a model's folder in its sweep. onnx: a trained model as graphs for ONNX Runtime, in fp32
    and int8 and checked against the model, in DIR/onnx; `--backend onnxruntime` of other commands computes with them.
    elasticbert: a BERT with poolers at all exits in the layout of the published ElasticBERT checkpoints, in
    DIR/elasticbert.
    boamps: an energy report in Boavizta's data model, DIR/boamps.json, of a sweep whose energy was measured.
    """
    if trial is not None and kind not in OF_MODELS:
        raise click.UsageError(f"--trial: only together with --format {', '.join(OF_MODELS)}")
    if kind in OF_MODELS and sweep is not None:
        raise click.UsageError(f"--format {kind} takes the folder of a sweep or of a model, and no --sweep")
    if kind == ONNX:
        _export_onnx(or_newest(source), trial, out)
        return
    if kind == HUB:
        from greenexp.api.cards import export_hub

        click.echo(export_hub(or_newest(source), trial=trial, out=out))
        return
    if kind == ELASTICBERT:
        from greenexp.api.elasticbert import export_elasticbert

        click.echo(export_elasticbert(or_newest(source), trial=trial, out=out))
        return
    from greenexp.api.sweeps import load

    opened = load(or_newest(source), sweep=sweep)
    warn_of_tables(opened)
    if kind == BOAMPS:
        click.echo(opened.energy_report(out=out))
        return
    for path in opened.export(kind, out=out):
        click.echo(path)


def _export_onnx(source: str, trial: str | None, out: Path | None) -> None:
    from greenexp.api.graphs import export_onnx

    graphs = export_onnx(source, trial=trial, out=out, tell=lambda line: click.echo(line, err=True))
    for note in graphs.notes:
        click.echo(note, err=True)
    click.echo(graphs.folder)
