"""Earlier sweeps that a sweep file names (`search.from`), read for the search that is to learn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import GreenexpError, SweepFileError
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.settings import SECTIONS
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import SweepTables
from greenexp.spec import Document


@dataclass(frozen=True, slots=True)
class EarlierSweeps:
    """The configurations of the sweeps that a file names, and what the user should know of these sweeps."""

    configurations: tuple[EarlierConfiguration, ...] = ()
    notes: tuple[str, ...] = ()


def earlier_of(document: Document, folder: Path | None = None) -> EarlierSweeps:
    """The configurations of the sweeps that the file names, in its order; nothing of a file that is wrong.

    folder: results folder of a sweep that goes on, which is told what it was told at its start, wherever the sources
        are by now
    Raises SweepFileError at the source that cannot be read or has another metric.
    """
    recorded = None if folder is None else _recorded(folder)
    if recorded is not None:
        return EarlierSweeps(recorded)
    if document.spec is None:
        return EarlierSweeps()
    found: list[EarlierConfiguration] = []
    notes: list[str] = []
    for number, source in enumerate(document.spec.search.earlier):
        try:
            tables = _read(source, document.spec)
        except GreenexpError as error:
            raise SweepFileError([document.problem(f"search.from.{number}", str(error))]) from error
        found += _configurations(tables, source, document.spec)
        notes += _differences(tables.spec, document.spec, source)
    return EarlierSweeps(tuple(found), tuple(notes))


def _recorded(folder: Path) -> tuple[EarlierConfiguration, ...] | None:
    """What the sweep in the folder was told at its start, None if it has not begun."""
    from greenexp.journal.file import NAME, read_events
    from greenexp.journal.state import SweepState

    if not (folder / NAME).is_file():
        return None
    return SweepState(read_events(folder / NAME)).earlier


def _read(source: str, spec: SweepSpec) -> SweepTables:
    from greenexp.sources.tables import read_tables

    tables = read_tables(source).tables
    _refuse_other_metric(tables.spec, spec)
    return tables


def _configurations(tables: SweepTables, source: str, spec: SweepSpec) -> list[EarlierConfiguration]:
    from greenexp.analysis.search.earlier import earlier_configurations

    return earlier_configurations(tables, source, spec.space)


def _refuse_other_metric(there: SweepSpec, here: SweepSpec) -> None:
    if there.metric != here.metric:
        names = [f"{metric.name} ({metric.exit}, {metric.mode})" for metric in (there.metric, here.metric)]
        raise GreenexpError(f"its scores are {names[0]}, and those of this sweep {names[1]}")
    if there.task.name != here.task.name:
        raise GreenexpError(f"its task is {there.task.name}, and that of this sweep {here.task.name}")


def _differences(there: SweepSpec, here: SweepSpec, source: str) -> tuple[str, ...]:
    """A note on what the file says and has another value there, so that scores may differ too."""
    old, new = (_leaves(spec.model_dump(mode="json", include=set(SECTIONS))) for spec in (there, here))
    searched = {*there.space, *here.space}
    differ = [path for path in new if path not in searched and path in old and old[path] != new[path]]
    return (f"search.from: {source} was run with another {', '.join(differ)}",) if differ else ()


def _leaves(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        path = f"{above}{key}"
        found |= _leaves(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found
