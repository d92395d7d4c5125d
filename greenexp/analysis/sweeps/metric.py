"""What a sweep optimises, and which of two scores is better."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from greenexp.records.tables import SweepTables


@dataclass(frozen=True, slots=True)
class SweepMetric:
    """The task metric `name` on dev, taken at `exit` (mean, last, best or a number); `mode` is max or min."""

    name: str
    exit: str
    mode: str

    @property
    def minimize(self) -> bool:
        """True if a smaller score is better."""
        return self.mode == "min"

    @property
    def bound(self) -> str:
        """What a best-so-far score is of the score after full training, which can only be better."""
        return "upper bound" if self.minimize else "lower bound"

    @property
    def label(self) -> str:
        """For axes and sentences: `dev accuracy (mean over exits)`."""
        words = {"mean": "mean over exits", "last": "last exit", "best": "best exit"}
        return f"dev {self.name} ({words.get(self.exit, f'exit {self.exit}')})"

    def is_better(self, score: float, than: float) -> bool:
        """Strictly better; nothing is better than, or worse than, a NaN."""
        return score < than if self.minimize else score > than

    def best(self, scores: pd.Series[float]) -> float:
        """The best of `scores`; NaN if all are NaN or there are none."""
        return float(scores.min() if self.minimize else scores.max())


def metric_of(tables: SweepTables) -> SweepMetric:
    """The metric named in the sweep file of `tables`."""
    given = tables.spec.metric
    return SweepMetric(given.name, str(given.exit), given.mode)
