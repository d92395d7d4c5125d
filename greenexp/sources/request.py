"""What is to be read of a source of scores: which columns mean what, and which rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from greenexp.errors import InputError
from greenexp.records.scores import COLUMNS

MOST_SEEDS = 2


class View(StrEnum):
    """What a row of `Scores` is."""

    CONFIGURATIONS = "configurations"
    """An independent draw of a search: of a sweep, a configuration with its mean over seeds."""
    TRIALS = "trials"
    """A trial, with its configuration and its seeds."""
    POINTS = "points"
    """A point of score and cost; a trial may have several, such as its operating points."""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Columns of a table or of MLflow runs, and rows to keep; of a sweep, a budget axis and a searched field.

    score, cost, test: columns of numbers; by: of the groups; configuration: of what differs by more than its seeds;
    seeds: of the seeds; shared_seeds: equal seeds of two configurations are one and the same seed
    trial: of the trial that a point belongs to; where: column -> the value that rows must have (files and data frames)
    query: a filter in MLflow's own language (runs); minimize: a smaller score is better
    """

    score: str | None = None
    cost: str | None = None
    by: str | None = None
    test: str | None = None
    configuration: str | None = None
    seeds: tuple[str, ...] = ()
    shared_seeds: bool = False
    trial: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    minimize: bool = False

    @property
    def words(self) -> dict[str, str]:
        """Column -> what it is, of the columns that hold words, without those of the groups."""
        named = dict.fromkeys(self.where, "where") | dict.fromkeys(self.seeds, "seed")
        named |= {name: "configuration" for name in [self.configuration] if name is not None}
        return named | {name: "trial" for name in [self.trial] if name is not None}

    @property
    def given(self) -> list[str]:
        """Names of the fields that say something, as in messages."""
        return [f.name for f in fields(self) if getattr(self, f.name)]

    def needed(self, name: str) -> str:
        """The column `name`, which a table must have. InputError if it was not named."""
        column = getattr(self, name)
        if column is None:
            raise InputError(f"which column holds the {name}s? Name it: {name} (--{name} COLUMN)")
        return str(column)


def check_trial_columns(request: ScoreRequest) -> None:
    """InputError if the columns cannot tell configurations and seeds apart (`View.TRIALS` of a table or of runs)."""
    if request.configuration is None and request.by is None:
        raise InputError(
            "which column tells apart the trials that differ by more than their seeds? Name it: configuration "
            "(--configuration COLUMN). With groups alone (--by), every group is one configuration."
        )
    if len(request.seeds) > MOST_SEEDS:
        raise InputError(f"seeds: one or two columns can be told apart, received {len(request.seeds)}")
    roles = {name for name in (request.configuration, request.by) if name is not None}
    names = [*filter(None, [request.score]), *request.seeds, *roles]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"'{twice[0]}' cannot be two things at once (score, configuration or by, seed)")
    taken = [name for name in request.seeds if name in COLUMNS]
    if taken:
        raise InputError(f"seed column '{taken[0]}': rename this column, the name stands for something else here")
    if request.shared_seeds and not request.seeds:
        raise InputError("shared seeds need the columns of the seeds: which trials have the same seed?")
