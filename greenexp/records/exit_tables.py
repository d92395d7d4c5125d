"""What the tables of a sweep say about one trial's exits, as it was replayed from its logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from greenexp.records.answers import ExampleAnswers


@dataclass(frozen=True, eq=False)
class ExitTables:
    """What the logits of one trial say.

    points: `POINTS` of all policies but `static`; tables: name in `REPLAYED` -> rows, without trial and configuration
    remarks: what could not be worked out, and why; answers: on every dev example, None without dev logits;
        answers_on_test: the same of test
    unread: why logits that are on record could not be read
    """

    points: pd.DataFrame
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    answers: ExampleAnswers | None = None
    unread: tuple[str, ...] = ()
    answers_on_test: ExampleAnswers | None = None
