"""The text in which Prometheus reads numbers, version 0.0.4 of its format.

https://prometheus.io/docs/instrumenting/exposition_formats/: per metric a line of help, a line with its type, and a
line per sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def head(name: str, kind: str, explained: str) -> tuple[str, str]:
    """The two lines that a metric begins with; kind: `counter`, `gauge` or `histogram`."""
    return f"# HELP {name} {explained.translate(_IN_HELP)}", f"# TYPE {name} {kind}"


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """The line of one value."""
    inside = ",".join(f'{label}="{text.translate(_IN_LABEL)}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))
