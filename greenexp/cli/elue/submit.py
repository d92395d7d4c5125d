"""The command `greenexp elue submit`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.models.options import batch_size_option, print_model
from greenexp.cli.printing.newest import or_newest


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--trial", metavar="NAME", help="Another trial of the sweep than the chosen one that is best on dev.")
@click.option(
    "--policy", "policies", metavar="TEXT", multiple=True,
    help="NAME:VALUE, or NAME for several thresholds on record; may be repeated.  [all on record, and every exit]",
)  # fmt: skip
@click.option("--type", "kind", type=click.Choice(["1", "2", "both"]), default="both", show_default=True)
@click.option(
    "--points", type=click.IntRange(min=1), default=6, show_default=True, metavar="N",
    help="Operating points of a policy whose threshold is not named, evenly over cost.",
)  # fmt: skip
@batch_size_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: SWEEP/submission).")
def submit(
    run: str | None,
    trial: str | None,
    policies: tuple[str, ...],
    kind: str,
    points: int,
    batch_size: int,
    out: Path | None,
) -> None:
    """RUN is the folder of a sweep on a task of ELUE, or of a model in it.

    Each operating point is a file: an exit used alone (static-3.tsv) or a policy
    with its threshold. Type 1 has the answers, and costs.csv what they cost;
    type 2 has beside each answer the modules that ran, and model.py with the
    modules, which imports torch and transformers alone.
    """
    from greenexp.api.elue_submissions import FORMATS, write_submission

    written = write_submission(
        or_newest(run),
        trial=trial,
        policies=policies,
        formats=FORMATS if kind == "both" else (kind,),
        most_points=points,
        batch_size=batch_size,
        out=out,
        loaded=print_model,
    )
    for point in written.points:
        click.echo(f"{point.name:<24} {point.mflops:,.2f} MFLOPs, mean {point.layers:.2f} layers", err=True)
    for path in written.files:
        click.echo(path)
