"""Operating points of one model or method, with their seeds: what ELUE's score sets against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from greenexp.records.arrays import Floats

ELUE_TASKS = ("SST-2", "IMDb", "SNLI", "SciTail", "MRPC", "STS-B")
"""The six tasks of ELUE, in the order of its board."""

ELUE_METRICS = {
    **dict.fromkeys(ELUE_TASKS, "accuracy"),
    "MRPC": "accuracy_and_f1",
    "STS-B": "pearson_and_spearman",
}
"""Task -> the metric by which ELUE scores it (fastnlp/ElasticBERT, elue/metrics.py)."""


class CostConvention(StrEnum):
    """What a number of MFLOPs counts. A multiply-add is 2 FLOPs or 1 MAC.

    products: matrix products alone, as everywhere in greenexp; counter: as the official counter of ELUE, which adds
    layer norms, softmax and the scaling of attention (`greenexp.meters.module_macs`)
    """

    FLOPS = "flops"
    MACS = "macs"
    COUNTER_FLOPS = "counter-flops"
    COUNTER_MACS = "counter-macs"

    @property
    def flops_per_unit(self) -> int:
        """1 of FLOPs, 2 of MACs."""
        return 2 if self in {CostConvention.MACS, CostConvention.COUNTER_MACS} else 1

    @property
    def by_counter(self) -> bool:
        """Whether more than matrix products count."""
        return self in {CostConvention.COUNTER_FLOPS, CostConvention.COUNTER_MACS}


@dataclass(frozen=True, eq=False, slots=True)
class ScoredLine:
    """The operating points of one line.

    name: for tables; task: of ELUE or another, "" if it is not known
    seeds: trial or seed -> [point, 2]: MFLOPs, points; one entry where there are no seeds
    counted: what the MFLOPs count, None if it is not on record; mparams: millions of parameters, None if not known
    choosable: whether these are all the points there are, of which some are to be chosen (a sweep's thresholds), and
        not those that somebody handed in
    notes: what must be known of them, a sentence each
    metric: what the points measure, "" if it is not on record; others: another metric -> the same points in it
    """

    name: str
    seeds: Mapping[str, Floats]
    task: str = ""
    counted: CostConvention | None = None
    mparams: float | None = None
    choosable: bool = False
    notes: tuple[str, ...] = field(default=())
    metric: str = ""
    others: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
