"""Sweeps for what is exported to Prometheus, and a strict reader of its text format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from greenexp.records.axes import AXES
from greenexp.sources.forecast import Forecast
from greenexp.sources.status import BestTrial, SweepStatus

EVERYTHING = SweepStatus(
    name="smoke",
    folder="out/smoke",
    state="running or killed",
    trials={"finished": 3, "stopped": 2, "running": 2, "planned": 4, "paused": 1, "failed": 1},
    used={axis: 10.0 * place for place, axis in enumerate(AXES, start=1)},
    limits={axis: 100.0 * place for place, axis in enumerate(AXES, start=1)},
    elapsed_s=30.0,
    sessions=2,
    best=BestTrial("c003-i0-o0", 0.873),
    failures={"c001-i0-o0": "it failed"},
    given_up=1,
    lost={axis: 1.0 for axis in AXES if axis != "trials"},
    reserved=dict.fromkeys(AXES, 5.0),
    forecast=Forecast(share=0.25, remaining_s=90.0, low_s=60.0, high_s=120.0, source="price"),
    reports=36,
    decisions={"stop": 2, "pause": 7},
    trial_energy_j={"c000-i0-o0": 12.5, "c003-i0-o0": 40.0},
    metered_j={"trials": 52.5, "overhead": 7.5, "unattributed": 3.0},
    last_event=1_700_000_000.5,
    mlflow_behind=4,
)
"""A sweep of which everything is known."""
BARE = SweepStatus(name=None, folder="out/bare", state="not begun: the journal is empty")
"""One of which nothing is."""

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)\}})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-][0-9]+)?)")
_UNESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


@dataclass
class Exposed:
    """One metric of an exposition: its kind, its help, and labels -> value."""

    kind: str
    explained: str
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def of(self, **labels: str) -> float:
        """The value with these labels among its own; there is one."""
        found = [v for named, v in self.samples.items() if labels.items() <= dict(named).items()]
        assert len(found) == 1, (labels, self.samples)
        return found[0]


def parsed(text: str) -> Mapping[str, Exposed]:
    """Every metric of an exposition; AssertionError for anything that version 0.0.4 of the format does not allow."""
    found: dict[str, Exposed] = {}
    assert text == "" or text.endswith("\n")
    lines = iter(text.splitlines())
    current = ""
    for line in lines:
        if line.startswith("# HELP "):
            name, _, explained = line.removeprefix("# HELP ").partition(" ")
            assert re.fullmatch(_NAME, name)
            assert name not in found, f"{name} has two groups"
            kind_line = next(lines)
            assert kind_line.startswith(f"# TYPE {name} ")
            kind = kind_line.rpartition(" ")[2]
            assert kind in {"counter", "gauge", "histogram"}
            assert explained
            found[name], current = Exposed(kind, explained), name
            continue
        match = _SAMPLE.fullmatch(line)
        assert match is not None, line
        assert match[1] == current, f"{line} stands among the samples of {current}"
        labels = tuple((key, _plain(value)) for key, value in re.findall(_LABEL, match[2] or ""))
        assert len(dict(labels)) == len(labels)
        assert labels not in found[current].samples, f"{line} stands there twice"
        found[current].samples[labels] = float(match[match.lastindex or 0])
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\[\\n\"]", lambda match: _UNESCAPED[match[0]], text)
