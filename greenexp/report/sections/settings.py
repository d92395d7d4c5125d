"""Exit policies and their settings in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from greenexp.analysis.exits.policies import family_of, needs_labels
from greenexp.replay.family import FAMILIES


def rules(families: Iterable[str]) -> list[str]:
    """When an example leaves, a sentence per family that says so."""
    known = (FAMILIES[family] for family in families if family in FAMILIES)
    return [rule for plugin in known if (rule := getattr(plugin, "rule", ""))]


def setting_of(point: pd.Series) -> str:
    """An operating point's policy and threshold: `exit 3`, `probability ≥ 0.9312`, `entropy < 0.3 nats`."""
    return setting(str(point["policy"]), float(point["threshold"]))


def setting(policy: str, threshold: float) -> str:
    """A label of a table of operating points with its threshold, as one would say it.

    threshold: NaN for a policy without a single one, whose label then says all
    """
    name = family_of(policy)
    if math.isnan(threshold) or needs_labels(name):
        return policy
    options = dict(_pair(item) for item in policy.partition(":")[2].split(",") if item)
    write = getattr(FAMILIES[name], "setting", None) if name in FAMILIES else None
    text = write(threshold, options) if write else f"{name} {threshold:.6g}"
    rest = ", ".join(f"{key}={value}" if value else key for key, value in options.items())
    return f"{text} ({rest})" if rest else text


def settings(policy: str, low: float, high: float) -> str:
    """One setting, or the range of those that several seeds have: `probability ≥ 0.91 to 0.93`."""
    ends = [f"{value:.4g}" for value in (low, high)]
    first, last = (setting(policy, float(end)) for end in ends)
    if first == last:
        return first
    alike = first.replace(ends[0], ends[1], 1) == last
    return first.replace(ends[0], " to ".join(ends), 1) if alike else f"{first} to {last}"


def _pair(item: str) -> tuple[str, str]:
    key, _, value = item.partition("=")
    return key, value
