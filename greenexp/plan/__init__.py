"""The plan: which trials a sweep file means, with which seeds, and what they cost at most.

Here: names and fields of plug-ins checked against the registries, the configurations that the search proposes, the
seed tree, trial names and fingerprints, the price in FLOPs. Deterministic from the file alone. A search that learns
proposes while the sweep runs: its plan is open, begins with the first configuration and grows (`growth.py`). Not here:
Ray, MLflow, the clock, anything that trains.

The package itself can be called, as `greenexp.plan` is also a function of the front door (`api.planning.plan`):

>>> import greenexp
>>> len(greenexp.plan("smoke").trials)
12
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from greenexp.plan.data import data_key, prepare_data
from greenexp.plan.growth import Configuration
from greenexp.plan.planning import make_plan
from greenexp.plan.plans import Plan
from greenexp.plan.price import price_plan
from greenexp.plan.prices import Bound, Price
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


class _CallablePackage(ModuleType):
    """Python binds a package's name in its parent when it is imported, over the function of the same name there."""

    def __call__(self, *arguments: Any, **options: Any) -> Plan:
        plan: Plan = import_module("greenexp.api.planning").plan(*arguments, **options)
        return plan


sys.modules[__name__].__class__ = _CallablePackage
