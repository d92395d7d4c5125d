"""The plan: which trials a sweep file means, with which seeds, and what they cost at most.

Here: names and fields of plug-ins checked against the registries, random, grid and listed configurations, the seed
tree, trial names and fingerprints, the price in FLOPs. Deterministic from the file alone. Not here: Ray, MLflow, the
clock, anything that trains. To add a search: its model in `greenexp.records.search_space`, its points in `search.py`.
"""

from greenexp.plan.data import data_key, prepare_data
from greenexp.plan.planning import make_plan
from greenexp.plan.plans import Configuration, Plan
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
