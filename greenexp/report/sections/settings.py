"""Exit policies and their settings in words."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from greenexp.analysis.exits.policies import family_of

Options = dict[str, str]
_SIGNS = {">=": "≥", "<=": "≤"}


RULES = {
    "max_probability": (
        "Probability ≥ t: an example leaves at the first exit whose largest class probability is at least t."
    ),
    "entropy": "Entropy < t: an example leaves at the first exit whose entropy is below t.",
    "patience": "Patience p: an example leaves as soon as p exits in a row have agreed with the one before them.",
    "voting": (
        "Vote score ≥ t: an example leaves at the first exit i at which the votes of exits 1 to i for the leading "
        "class, divided by i^0.5 (or the exponent given), are at least t; the leading class is the answer. A "
        "reconstruction of the voting of Sun et al. 2021, whose text was not at hand."
    ),
    "learned": (
        "Learned P(wrong) < t: an example leaves at the first exit whose learned module puts the probability of being "
        "wrong below t."
    ),
}
"""Family -> when an example leaves, in one sentence."""


def setting_of(point: pd.Series) -> str:
    """An operating point's policy and threshold: `exit 3`, `probability ≥ 0.9312`, `entropy < 0.3 nats`."""
    return setting(str(point["policy"]), float(point["threshold"]))


def setting(policy: str, threshold: float) -> str:
    """A label of a table of operating points with its threshold, as one would say it.

    threshold: NaN for a policy without a single one, whose label then says all
    """
    name = family_of(policy)
    if name == "oracle" or math.isnan(threshold):
        return policy
    options = dict(_pair(item) for item in policy.partition(":")[2].split(",") if item)
    write = _WRITERS.get(name)
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


def _static(threshold: float, _: Options) -> str:
    return f"exit {threshold:.0f}"


def _max_probability(threshold: float, options: Options) -> str:
    sign = _sign(options, "≥")
    unsure = options.pop("unsure", "last")
    last = "the last exit" if unsure == "last" else "the most confident exit"
    if threshold > 1:
        return f"{last}, all evaluated"
    return f"probability {sign} {threshold:.6g}{'' if unsure == 'last' else f', else {last}'}"


def _entropy(threshold: float, options: Options) -> str:
    sign = _sign(options, "<")
    if threshold < 0:
        return "the last exit, all evaluated"
    if options.pop("normalised", "false") == "true":
        return f"entropy / ln K {sign} {threshold:.6g}"
    return f"entropy {sign} {threshold:.6g} nats"


def _patience(threshold: float, options: Options) -> str:
    if "patience" in options:
        return f"patience {options.pop('patience')} within {threshold:.6g}"
    within = f" within {options.pop('tolerance')}" if "tolerance" in options else ""
    return f"patience {threshold:.6g}{within}"


def _voting(threshold: float, _: Options) -> str:
    return f"vote score ≥ {threshold:.6g}"


def _learned(threshold: float, options: Options) -> str:
    if threshold < 0:
        return "the last exit, all evaluated"
    return f"learned P(wrong) {_sign(options, '<')} {threshold:.6g}"


def _sign(options: Options, default: str) -> str:
    given = options.pop("comparator", default)
    return _SIGNS.get(given, given)


_WRITERS: dict[str, Callable[[float, Options], str]] = {
    "static": _static, "max_probability": _max_probability, "entropy": _entropy, "patience": _patience,
    "voting": _voting, "learned": _learned,
}  # fmt: skip
