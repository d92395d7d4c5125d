"""The command `greenexp elue check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenexp.cli.elue.score import task_option
from greenexp.cli.scores.options import json_option
from greenexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

CONVENTIONS = ("flops", "macs", "counter-flops", "counter-macs")
GIB = 2**30


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@task_option
@click.option("--data", metavar="DIR", help="ELUE's folder: checks rows, and with labels scores the answers.")
@click.option("--trust", is_flag=True, help="Run model.py, with limits and where possible without a network.")
@click.option("--time-limit", type=click.FloatRange(min=1), default=300, show_default=True, metavar="SECONDS",
              help="Of --trust.")  # fmt: skip
@click.option("--memory-limit", type=click.FloatRange(min=0.25), default=8, show_default=True, metavar="GIB",
              help="Of --trust.")  # fmt: skip
@click.option("--classes", type=click.IntRange(min=1), metavar="N", help="For prices by shape.  [the task's]")
@click.option("--intermediate", type=click.IntRange(min=1), metavar="N", help="For prices by shape.  [4 x hidden]")
@click.option("--heads", type=click.IntRange(min=1), metavar="N", help="For prices by shape.  [one for each 64]")
@click.option("--write", "target", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the points to FILE.yaml, for `elue score`.")  # fmt: skip
@click.option("--model", metavar="NAME", help="What the model is called in FILE.  [the folder's name]")
@click.option("--convention", type=click.Choice(CONVENTIONS), default="flops", show_default=True,
              help="What the MFLOPs in FILE count.")  # fmt: skip
@json_option
def check(
    folder: Path,
    task: str,
    data: str | None,
    time_limit: float,
    memory_limit: float,
    classes: int | None,
    intermediate: int | None,
    heads: int | None,
    target: Path | None,
    model: str | None,
    convention: str,
    *,
    trust: bool,
    as_json: bool,
) -> None:
    """FOLDER holds .tsv or .jsonl files, one for each operating point, or a folder of them for each task.

    Every row is checked, and the FLOPs of each are counted. model.py is code of
    somebody else: without --trust it is not run, and modules with known names
    (emb, layer_1, pooler, exit_1, ...) are priced by the shapes in the rows. The
    exit code is 2 if anything is wrong.
    """
    from greenexp.api.elue_submissions import check_submission, points_of
    from greenexp.cli.printing.findings import print_all
    from greenexp.records.scored_lines import ELUE_TASKS, CostConvention
    from greenexp.sources.elue.paper import paper_text

    findings = check_submission(
        folder, task=task, data=data, classes=classes, intermediate=intermediate, heads=heads, trust=trust,
        time_limit_s=time_limit, memory_limit_b=int(memory_limit * GIB),
    )  # fmt: skip
    print_all(findings, {"files": _files, "modules": _modules, "problems": _as_it_is}, as_json=as_json)
    if target is not None:
        name = task or next((part for part in reversed(folder.absolute().parts) if part in ELUE_TASKS), "")
        if not name:
            raise InputError(f"{folder}: which task is it? Name it: --task")
        paper = points_of(findings, name, model or folder.absolute().name, CostConvention(convention))
        try:
            target.write_text(paper_text(paper), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {target}: {error.strerror or error}") from error
        click.echo(f"written: {target}", err=True)
    if len(findings["problems"]):
        click.get_current_context().exit(2)


def _files(frame: pd.DataFrame) -> pd.DataFrame:
    """Without columns in which nothing is known."""
    return frame.dropna(axis="columns", how="all")


def _modules(frame: pd.DataFrame) -> pd.DataFrame:
    """Of a single file; of several, in the JSON."""
    return frame if len(set(frame["file"])) == 1 else frame.head(0)


def _as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame
