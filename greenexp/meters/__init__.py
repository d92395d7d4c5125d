"""Meters: what a stretch of work costs in time, memory, energy and FLOPs.

`measure.Meters` is opened per trial and read per epoch; energy comes from sources behind one protocol (`energy.py`),
one file each; `flops.py` adds up matrix products. What cannot be read is None with its reason, never 0. torch may be
imported only inside functions that need a GPU: `survey` works without it. To add an energy source: write
`meters/<name>.py` with an `EnergySource`, open it in `opening.py`.
"""

from __future__ import annotations

from greenexp.meters.accounting import price_costs
from greenexp.meters.measure import Meters
from greenexp.meters.opening import open_meters, survey

__all__ = ["Meters", "open_meters", "price_costs", "survey"]
