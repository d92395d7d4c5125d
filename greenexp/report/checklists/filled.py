"""What a checklist is, and how its items are filled from a sweep's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from greenexp.report.checklists.record import RecordFacts
from greenexp.report.table import Column, Table

ON_RECORD, IN_PART, YOU_ANSWER = "on record", "in part", "you answer"
PLACES = {
    "headline": "In short",
    "held-out": "Test set",
    "search": "Best score so far and expected best",
    "search-space": "Search space",
    "configurations": "Configurations",
    "seeds": "Seeds: variance and number",
    "trials": "Trials",
    "price-tag": "Price tag",
    "costs": "Costs",
    "failures": "Failures",
    "assumptions": "Assumptions of all sections",
    "appendix": "Sweep file, versions, machine",
}
"""Name of a section of the report -> its title, of those that items refer to."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a checklist.

    number: the checklist's own id; asks: what it asks, in our words
    facts: what of the record answers it, each a sentence, "" where that is not on record
    places: sections of the report where it stands; left: what only the author can say, "" if nothing
    """

    number: str
    asks: str
    facts: tuple[Callable[[RecordFacts], str], ...] = ()
    places: tuple[str, ...] = ()
    left: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """name: on the command line; title: with its year; link: where its own wording stands."""

    name: str
    title: str
    link: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class FilledItem:
    """An item with its answer: `answer` is ON_RECORD, IN_PART or YOU_ANSWER, `record` the sentences of the record."""

    item: Item
    answer: str
    record: str


def fill(checklist: Checklist, facts: RecordFacts) -> tuple[FilledItem, ...]:
    """The items in order, each answered from the record as far as it goes."""
    return tuple(_filled(item, facts) for item in checklist.items)


def _filled(item: Item, facts: RecordFacts) -> FilledItem:
    said = [fact(facts) for fact in item.facts]
    record = " ".join(filter(None, said))
    if not record:
        return FilledItem(item, YOU_ANSWER, "")
    return FilledItem(item, ON_RECORD if all(said) and not item.left else IN_PART, record)


def _left(one: FilledItem) -> str:
    if one.item.facts and not one.record:
        return f"Not on record. {one.item.left}".strip()
    return one.item.left


def checklist_table(checklist: Checklist, facts: RecordFacts) -> Table:
    """The filled checklist as a table of the report."""
    filled = fill(checklist, facts)
    frame = pd.DataFrame(
        {
            "item": [one.item.number for one in filled],
            "asks": [one.item.asks for one in filled],
            "answer": [one.answer for one in filled],
            "record": [one.record for one in filled],
            "places": ["; ".join(PLACES[place] for place in one.item.places) if one.record else "" for one in filled],
            "left": [_left(one) for one in filled],
        }
    )
    columns = (
        Column("item", "Item", "name"),
        Column("asks", "Asks for"),
        Column("answer", "Answer", "name"),
        Column("record", "From the record", "prose"),
        Column("places", "Section of the report"),
        Column("left", "You answer", "prose"),
    )
    note = f"Ids are those of the checklist, whose wording is at {checklist.link}"
    return Table(f"checklist-{checklist.name}", checklist.title, frame, columns, f"{note}.", listed=True)
