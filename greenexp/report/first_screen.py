"""The first screen of a sweep's report: the result, its numbers, two figures, and who was compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.contents import LEAD
from greenexp.report.page import FirstScreen
from greenexp.report.section import Section
from greenexp.report.sections import compared_searches
from greenexp.report.sections.key_numbers import NAME as KEY_NUMBERS
from greenexp.report.sections.result import result_sentence
from greenexp.report.sections.wording import counted
from greenexp.version import VERSION

_CURVES = ("tuning-band", "expected-best", "incumbent", "best-so-far-train-flops", "best-so-far-wall-s")
_FRONTS = ("operating-points", "exits")
_COMPARED = ("compared-searches-summary", "leaders", "configurations")


def first_screen(tables: SweepTables, sections: Sequence[Section]) -> FirstScreen:
    """Of a sweep, from its sections. A sweep that compares searches leads with the comparison."""
    named = {section.name: section for section in sections}
    figures = {plate.figure.name for section in sections for plate in section.plates}
    filled = {table.name for section in sections for table in section.tables if len(table.frame)}
    compared = named[compared_searches.NAME]
    warned = tuple(text for text in named[LEAD].headline if text.startswith("Warning: "))
    leads = compared_searches.NAME in figures
    curves = (compared_searches.NAME,) if leads else _CURVES
    if leads:
        best, told, *_ = (*compared.headline, "")
        told, _, rest = told.partition(". ")
        told = f"{told[:1].lower()}{told[1:]}".rstrip(".")
        result = f"{'; '.join(filter(None, (best.rstrip('.'), told)))}."
        certainty = (*warned, *filter(None, (rest,)), result_sentence(tables))
    else:
        result, certainty = result_sentence(tables), warned
    return FirstScreen(
        subtitle=subtitle(tables),
        result=result,
        certainty=certainty,
        numbers=KEY_NUMBERS,
        figures=tuple(filter(None, (_first(curves, figures), _first(_FRONTS, figures)))),
        compared=_first(_COMPARED, filled),
        more=LEAD,
    )


def _first(names: Sequence[str], there: set[str]) -> str:
    return next((name for name in names if name in there), "")


def subtitle(tables: SweepTables) -> str:
    """Task, model, method, how many trials, when, and what wrote the report."""
    spec = tables.spec
    methods = _methods(tables)
    status = tables.trials["status"].value_counts()
    ended = ", ".join(f"{count} {name}" for name, count in status.items())
    began = tables.history.began
    parts = [
        str(spec.task.name),
        str(spec.backbone.options.get("source") or spec.backbone.name),
        *methods,
        f"{counted(len(tables.trials), 'trial')} ({ended})" if len(tables.trials) else "no trials",
        datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d") if began else "",
        f"greenexp {VERSION}",
    ]
    return " · ".join(part for part in parts if part)


def _methods(tables: SweepTables) -> list[str]:
    """The training methods, those that were searched over or the one of the sweep file."""
    searched = f"{PARAMS}method.name"
    found = tables.trials[searched].tolist() if searched in tables.trials else []
    names = dict.fromkeys(str(name) for name in found or [tables.spec.method.name])
    return [", ".join(names)]
