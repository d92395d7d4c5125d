"""The version of greenexp."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("greenexp")
except PackageNotFoundError:  # a source tree that was never installed
    VERSION = "0+unknown"
