"""What a view of a sweep is, and the options that a reader can set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from greenexp.analysis.findings import Findings
from greenexp.errors import InputError, UnknownNameError
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section

Answer = Findings | Section
"""What a view says: a study's findings with their figures, or a section of the report."""


@dataclass(frozen=True, slots=True)
class ViewOption:
    """One thing that a reader chooses.

    name: in a URL and in Python; title: its label; choices: what there is to choose from in a sweep, None for any text
    default: what is chosen if nothing is, "" for nothing, which is called `nothing`
    many: several values may be chosen, separated by commas
    """

    name: str
    title: str
    choices: Callable[[SweepTables], Sequence[str]] | None = None
    default: str = ""
    many: bool = False
    nothing: str = "none"

    def read(self, value: str, tables: SweepTables) -> str | tuple[str, ...]:
        """The value as the view takes it. UnknownNameError for one that is not among the choices."""
        given = tuple(part for part in value.split(",") if part) if self.many else (value,)
        if self.choices is not None:
            known = list(self.choices(tables))
            for each in given:
                if each and each not in known:
                    raise UnknownNameError(self.title.lower(), each, known)
        return given if self.many else value


@dataclass(frozen=True, slots=True)
class NamedView:
    """One way of looking at a sweep.

    name: in a URL and in Python; group, title: where it stands in a menu; about: what it answers, one sentence
    make: (tables, **options) -> its answer; options without a value are left out; replayed: whether it needs what is
        replayed from stored logits, which takes longer to read; several: whether it also takes `others`, the tables of
        other sweeps by name; rows: of a table that a page is sent
    """

    name: str
    group: str
    title: str
    about: str
    make: Callable[..., Answer]
    options: tuple[ViewOption, ...] = ()
    replayed: bool = False
    several: bool = False
    rows: int = 500

    def answer(
        self, tables: SweepTables, options: Mapping[str, Any], others: Mapping[str, SweepTables] | None = None
    ) -> Answer:
        """What the view says of a sweep. InputError for an option that it does not have or cannot read."""
        if others is not None and not self.several:
            raise InputError(f"the view '{self.name}' is of one sweep: it takes no others")
        known = {option.name: option for option in self.options}
        for name in options:
            if name not in known:
                raise UnknownNameError(f"option of the view '{self.name}'", name, list(known))
        given = {name: options.get(name, option.default) for name, option in known.items()}
        read = {name: known[name].read(_text(name, value), tables) for name, value in given.items()}
        chosen: dict[str, Any] = {name: value for name, value in read.items() if value}
        return self.make(tables, **chosen, **({"others": others} if others is not None else {}))


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ",".join(str(each) for each in value)
    if value is None or isinstance(value, Mapping | set):
        raise InputError(f"{name}: expected a text or a number, received {value!r}")
    return str(value)
