"""Budget-aware sweeps of multi-exit encoders: fair comparisons, and the report that shows the work.

`run` a sweep, `load` one that was recorded, `plan` one to see its price. `curve`, `compare`, `seeds`, `front` and
`simulate` ask the studies about a sweep, a data frame, a file or MLflow runs, and return `Findings`. `register` makes a
class of your own a plug-in. Names are loaded when they are first used: `import greenexp` loads none of the libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenexp.analysis.findings import Findings
    from greenexp.api.comparisons import front, seeds, simulate
    from greenexp.api.launching import run
    from greenexp.api.planning import plan
    from greenexp.api.plugins import register
    from greenexp.api.statistics import compare, curve
    from greenexp.api.sweeps import Sweep, load
    from greenexp.errors import GreenexpError
    from greenexp.figures.figure import Figure
    from greenexp.plan.plans import Plan
    from greenexp.records.sweep_spec import SweepSpec

    __version__: str

_PLACES = {
    "run": "api.launching",
    "load": "api.sweeps",
    "plan": "api.planning",
    "curve": "api.statistics",
    "compare": "api.statistics",
    "seeds": "api.comparisons",
    "front": "api.comparisons",
    "simulate": "api.comparisons",
    "register": "api.plugins",
    "Sweep": "api.sweeps",
    "SweepSpec": "records.sweep_spec",
    "Plan": "plan.plans",
    "Findings": "analysis.findings",
    "Figure": "figures.figure",
    "GreenexpError": "errors",
}
"""Public name -> the module that it is in."""

__all__ = [
    "Figure",
    "Findings",
    "GreenexpError",
    "Plan",
    "Sweep",
    "SweepSpec",
    "compare",
    "curve",
    "front",
    "load",
    "plan",
    "register",
    "run",
    "seeds",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("greenexp.version").VERSION
    if name not in _PLACES:
        raise AttributeError(f"module 'greenexp' has no attribute '{name}'")
    return getattr(import_module(f"greenexp.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
