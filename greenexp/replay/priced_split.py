"""One split of a trial with the prices of its exits: what operating points are computed on."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.replay.points import operating_point, operating_points
from greenexp.replay.record import ExitCosts, ExitRecord


@dataclass(frozen=True, eq=False)
class PricedSplit:
    """The record of one split and what its exits cost.

    name: `dev` or `test`; has_flops: whether its FLOPs are known, else they are NaN in every operating point
    """

    name: str
    record: ExitRecord
    costs: ExitCosts
    has_flops: bool = True

    def points(self, family: Any, metric: str) -> pd.DataFrame:
        """Every operating point of a family, with the columns of `operating_points`."""
        return self._known(operating_points(self.record, family, self.costs, metric))

    def point(self, policy: Any, metric: str) -> pd.DataFrame:
        """The operating point of a policy at its own threshold, one row."""
        return self._known(operating_point(self.record, policy, self.costs, metric))

    def with_seconds(self, seconds: npt.NDArray[np.float64]) -> PricedSplit:
        """The same split with `seconds`, float64 [exit, length], as the latency of each exit."""
        return dataclasses.replace(self, costs=dataclasses.replace(self.costs, latency_s=seconds))

    def _known(self, points: pd.DataFrame) -> pd.DataFrame:
        return points if self.has_flops else points.assign(inference_flops=math.nan)
