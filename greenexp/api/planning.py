"""From whatever names a sweep to its plan with its price."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.api.watching import Watcher
from greenexp.errors import FieldError, SweepFileError
from greenexp.extras import require
from greenexp.plan.plans import Plan
from greenexp.records.sections import Accounting
from greenexp.records.sweep_spec import SweepSpec
from greenexp.spec import Document

if TYPE_CHECKING:
    from greenexp.plan.data import Prepare
    from greenexp.records.settings import Settings
    from greenexp.tasks.prepared import PreparedTask

SweepSource = str | Path | Mapping[str, Any] | SweepSpec
"""A sweep file by its path, a shipped sweep by its name, or a sweep made in Python."""
Overrides = Mapping[str, Any] | Sequence[str]
"""Dotted path of a field -> value, or `path=value` with the value as in a sweep file."""


def plan(
    sweep: SweepSource = "smoke",
    *,
    set: Overrides = (),  # noqa: A002 - the command line's word
    measured_in: str | Path | None = None,
    calibrate: bool = False,
    watch: Watcher | None = None,
) -> Plan:
    """What a sweep would run, and its price; nothing is run, unless it is asked to `calibrate`.

    >>> import greenexp
    >>> planned = greenexp.plan("smoke", set={"training.epochs": 4})
    >>> len(planned.trials)
    12
    >>> planned.price.bounds["epochs"].most
    48.0

    Parameters
    ----------
    sweep : path, name, mapping or SweepSpec, default "smoke"
        A sweep file, the name of a sweep that comes with greenexp, or a sweep made in Python.
    set : mapping or sequence of str, default ()
        Fields of the sweep to change: dotted path -> value, or `path=value` as on the command line.
    measured_in : path or str, optional
        Where sweeps that ran on this type of machine are on record: a folder, or an MLflow address. By default `out`.
    calibrate : bool, default False
        Train a few steps of what no sweep on record has trained here, for at most a minute, to learn its speed.
    watch : Watcher, optional
        Told what is fetched.

    Returns
    -------
    Plan
        Its configurations and trials in the order they start, and `price`: per budget axis what they cost at most, and
        what they are expected to cost, with an 80 % interval.

    Raises
    ------
    SweepFileError
        With all problems of the sweep, each with its place in the file.
    InputError
        Where model, method, metric and data do not fit.

    """
    document = read_document(sweep, set)
    with placed(document):
        return priced_plan(plan_of(document), watch or Watcher(), None, measured_in=measured_in, calibrate=calibrate)


def schema() -> dict[str, Any]:
    """The JSON schema of sweep files, for editors, with the plug-ins that are installed."""
    from greenexp.plan import editor_schema

    return editor_schema()


def read_document(sweep: SweepSource, overrides: Overrides = ()) -> Document:
    """The sweep as a document: read, with `overrides` applied, and checked without plug-ins."""
    require()
    from greenexp.assets import find_sweep
    from greenexp.spec import load_sweep

    source = find_sweep(str(sweep)) if isinstance(sweep, str | Path) else sweep
    return load_sweep(source, _as_text(overrides))


def plan_of(document: Document, folder: Path | None = None) -> Plan:
    """The plan of a sweep, without its price. SweepFileError with all that is wrong.

    folder: of a sweep that goes on, which knows what its search was told of earlier ones, and its region's carbon
    """
    from greenexp.api.earlier import earlier_of
    from greenexp.plan.planning import make_plan

    earlier = earlier_of(document, folder)
    planned = make_plan(document, earlier=earlier.configurations)
    with placed(document):
        accounting = _accounting(planned.spec.accounting, folder)
    spec = planned.spec.model_copy(update={"accounting": accounting})
    return dataclasses.replace(planned, spec=spec, notes=(*planned.notes, *earlier.notes))


def _accounting(stated: Accounting, folder: Path | None) -> Accounting:
    """The factors with the grams per kWh of their region: those that the sweep in the folder began with, if it did."""
    from greenexp.journal.file import NAME, read_events
    from greenexp.journal.state import SweepState
    from greenexp.spec.carbon_table import with_region

    if stated.region is None or stated.carbon_source is not None:
        return stated
    events = list(read_events(folder / NAME)) if folder is not None and (folder / NAME).is_file() else []
    if events:
        begun = SweepState(events).spec.accounting
        if begun.carbon_source is not None and begun.region == stated.region:
            found = {"carbon_g_per_kwh": begun.carbon_g_per_kwh, "carbon_source": begun.carbon_source}
            return stated.model_copy(update=found)
    return with_region(stated)


@contextmanager
def placed(document: Document) -> Iterator[None]:
    """Give what is wrong with a field, and shows only with data or model at hand, its line in the sweep file."""
    try:
        yield
    except FieldError as error:
        raise SweepFileError([document.problem(error.path, error.reason)]) from error


def priced_plan(
    planned: Plan,
    watch: Watcher,
    prepare: Prepare | None,
    *,
    measured_in: str | Path | None = None,
    calibrate: bool = False,
) -> Plan:
    """`planned` with its price; see `plan`. `prepare` reads the tokens of a trial, the product's own by default."""
    from greenexp.api.assets import fetch_assets
    from greenexp.api.calibrating import known_speeds
    from greenexp.plan.data import prepare_data
    from greenexp.plan.price import price_plan

    fetch_assets(planned, watch)
    prepare = remembering(prepare or prepare_data)
    speeds = known_speeds(planned, prepare, watch, measured_in, calibrate=calibrate)
    price = price_plan(planned, prepare, speeds=speeds)
    return dataclasses.replace(planned, price=price)


def remembering(prepare: Prepare) -> Prepare:
    """`prepare`, reading each distinct task once: the price and the sweep need the same tokens."""
    from greenexp.plan.data import data_key

    read: dict[str, PreparedTask] = {}

    def tokens(settings: Settings) -> PreparedTask:
        key = data_key(settings)
        if key not in read:
            read[key] = prepare(settings)
        return read[key]

    return tokens


def _as_text(overrides: Overrides) -> tuple[str, ...]:
    """`path=value` with the value as in a sweep file."""
    if isinstance(overrides, str):
        return (overrides,)
    if not isinstance(overrides, Mapping):
        return tuple(overrides)
    from greenexp.spec.resolved import to_yaml

    return tuple(f"{path}={to_yaml(value, one_line=True)}" for path, value in overrides.items())
