"""The plan: which trials a sweep file means, with which seeds, and what they cost at most.

Here: names and fields of plug-ins checked against the registries, the configurations that the search proposes, the
seed tree, trial names and fingerprints, the price in FLOPs. Deterministic from the file alone. A search that learns
proposes while the sweep runs: its plan is open, begins with the first configuration and grows (`growth.py`). Not here:
Ray, MLflow, the clock, anything that trains.
"""

from greenexp.plan.data import data_key, prepare_data
from greenexp.plan.growth import Configuration
from greenexp.plan.planning import make_plan
from greenexp.plan.plans import Plan
from greenexp.plan.price import Bound, Price, price_plan
from greenexp.plan.schema import editor_schema

__all__ = [
    "Bound",
    "Configuration",
    "Plan",
    "Price",
    "data_key",
    "editor_schema",
    "make_plan",
    "prepare_data",
    "price_plan",
]
