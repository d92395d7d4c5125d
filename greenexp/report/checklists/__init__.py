"""Checklists of conferences, filled from a sweep's record: `CHECKLISTS` by name, and the section of the report.

An item has the checklist's own id, a paraphrase of what it asks, what the record says, the section of the report where
that stands, and what is left to the author. The wording of the checklists themselves is not repeated here; a link leads
to it. To add one: a file with its items, and a line below.
"""

from greenexp.report.checklists.arr import ARR
from greenexp.report.checklists.emnlp import EMNLP
from greenexp.report.checklists.filled import Checklist, FilledItem, Item, checklist_table, fill
from greenexp.report.checklists.neurips import NEURIPS
from greenexp.report.checklists.record import RecordFacts

CHECKLISTS: dict[str, Checklist] = {checklist.name: checklist for checklist in (ARR, NEURIPS, EMNLP)}

__all__ = ["CHECKLISTS", "Checklist", "FilledItem", "Item", "RecordFacts", "checklist_table", "fill"]
