"""Budget-aware sweeps of multi-exit encoders: fair comparisons, and the report that shows the work."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("greenexp")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
