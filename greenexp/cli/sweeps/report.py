"""The command `greenexp report`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.remarks import warn_of_tables
from greenexp.cli.scores.options import outside_option
from greenexp.errors import InputError, UnknownNameError

FORMATS = ("html", "md", "tex", "csv", "pdf")
SECTIONS = (
    "headline", "compared-searches", "search", "tuning-band", "configurations", "search-space", "early-stopping",
    "simulated", "target", "objectives", "held-out", "front", "line-to-line", "policies", "exit-profiles",
    "front-over-trials", "exits", "overthinking", "confusion", "calibration", "seeds", "price-tag", "costs", "energy",
    "assumptions", "failures", "checklists", "trials", "appendix",
)  # fmt: skip
"""As in `report.contents`, which takes long to import."""


def _formats(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        raise click.BadParameter(f"expected some of {','.join(FORMATS)}, got '{value}'")
    return chosen


def _sections(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    names = [part.strip() for text in value for part in text.split(",") if part.strip()]
    for name in names:
        if name not in SECTIONS:
            raise UnknownNameError("section of the report", name, SECTIONS)
    return tuple(dict.fromkeys(names))


@click.command(epilog=f"Sections: {', '.join(SECTIONS)}.")
@click.argument("sources", metavar="[DIR|URI]...", nargs=-1)
@click.option(
    "--format",
    "formats",
    callback=_formats,
    default="html",
    show_default=True,
    metavar="html,md,tex,csv,pdf",
    help="One or several; pdf is printed by an installed Chromium.",
)
@click.option(
    "--section",
    "sections",
    callback=_sections,
    metavar="NAME",
    multiple=True,
    help="Write only this section, to report-NAME.html; may be repeated. The names are listed below.",
)
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--out", "target", type=click.Path(path_type=Path), help="Folder to write to (default: the sweep's own).")
@click.option("--baseline", metavar="SOURCE", help="Set the sweep's lines against this one (as in `elue score`).")
@outside_option
@click.option("--score", metavar="COLUMN", help="Compare any MLflow runs by this column, such as metrics.acc.")
@click.option("--cost", metavar="COLUMN", help="With --score: what a run cost, such as metrics.seconds, or duration.")
@click.option(
    "--by", metavar="COLUMN", help="With --score: what to group runs by, such as params.model, or experiment."
)
@click.option("--minimize", is_flag=True, help="With --score: a smaller score is better.")
@click.option(
    "--experiment",
    "experiments",
    metavar="NAME",
    multiple=True,
    help="With --score: only runs of this experiment; may be repeated.",
)
@click.option(
    "--filter", "query", metavar="TEXT", help="With --score: keep only the MLflow runs that match this MLflow filter."
)
def report(
    sources: tuple[str, ...],
    formats: tuple[str, ...],
    sections: tuple[str, ...],
    sweep: str | None,
    target: Path | None,
    baseline: str | None,
    outside: str,
    score: str | None,
    cost: str | None,
    by: str | None,
    minimize: bool,
    experiments: tuple[str, ...],
    query: str | None,
) -> None:
    """Each sweep is a folder, read from its journal (default: the newest under out/), or recorded at an MLflow address.

    With --score, the report is of runs that other programs logged at an MLflow address: group by group the expected
    best over the number of runs, comparisons, and with --cost the best score so far over the cost.
    """
    if score is None:
        options = {"--cost": cost, "--by": by, "--minimize": minimize, "--experiment": experiments, "--filter": query}
        given = [option for option, value in options.items() if value]
        if given:
            raise click.UsageError(f"{', '.join(given)}: only together with --score")
        _report_sweeps(sources, formats, sections, sweep, target, (baseline, outside))
        return
    if len(sources) != 1 or sweep is not None or sections or baseline is not None:
        raise click.UsageError("--score takes the runs of one MLflow address, no --sweep, --section and --baseline")
    from greenexp.api.reports import runs_report

    write = runs_report(
        sources[0], score=score, cost=cost, by=by, minimize=minimize, experiments=experiments, query=query or ""
    )
    place = target or Path.cwd()
    try:
        for path in write(formats, place):
            click.echo(path)
    except OSError as error:
        raise InputError(f"cannot write the report to {place}: {error.strerror or error}") from error


def _report_sweeps(
    sources: tuple[str, ...],
    formats: tuple[str, ...],
    sections: tuple[str, ...],
    sweep: str | None,
    target: Path | None,
    compared: tuple[str | None, str],
) -> None:
    from greenexp.api.sweeps import load

    baseline, outside = compared

    for source in sources or (or_newest(None),):
        opened = load(source, sweep=sweep)
        warn_of_tables(opened)
        inside = len(sources) > 1 and target is not None
        place = target / opened.tables.history.name if inside and target is not None else target
        for path in opened.report(formats, out=place, sections=sections, baseline=baseline, outside=outside):
            click.echo(path)
