"""The exit policy a user asks for: from text, or a threshold chosen on recorded dev logits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from greenexp.errors import InputError
from greenexp.sources.checkpoints import FoundModel, dev_logits

if TYPE_CHECKING:
    from greenexp.replay import ExitRecord

DEFAULT = "max_probability"
_NUMBER_AS_KEY = re.compile(r"([{,]\s*)(\d+)(?=\s*:)")


@dataclass(frozen=True, slots=True)
class AskedPolicy:
    """A policy for the engine.

    policy: in any form the engine takes; text: for people; temperatures: exit number -> temperature, None without
    notes: what a person should know about how it came to be
    """

    policy: Any
    text: str
    temperatures: Mapping[int, float] | None = None
    notes: tuple[str, ...] = ()


def read_policy(text: str) -> Any:
    """A policy from the command line, checked: `NAME`, `NAME:VALUE,option=value`, or a YAML mapping in braces.

    Raises UnknownNameError and InputError.
    """
    from greenexp.exits.policies.choose import stream_policy

    policy = given_policy(text)
    stream_policy(policy)
    return policy


def given_policy(text: str) -> Any:
    """The same, not checked yet, which takes no torch."""
    return _mapping(text) if text.lstrip().startswith("{") else text


def ask_policy(
    found: FoundModel, text: str | None, speed_up: float | None, check_every: int, *, calibrated: bool
) -> AskedPolicy:
    """The policy to serve a model with.

    text: None for the default; speed_up: choose the threshold that is best on dev among those at least that fast
    check_every: exits that will be consulted; calibrated: with a temperature per exit, fitted on dev
    Raises InputError for what cannot be, or cannot be chosen from what is recorded.
    """
    asked = AskedPolicy(read_policy(text or DEFAULT), text or "")
    if not text and speed_up is None:
        asked = replace(asked, text=_default_text(), notes=("the default: choose with --policy or --speed-up",))
    if speed_up is None and not calibrated:
        return asked
    dev = dev_logits(found)
    record, note = dev.stored.record, f"dev, {len(dev.stored.labels)} examples"
    if calibrated:
        from greenexp.replay.calibration import temperatures

        fitted = temperatures(record)
        record = record.calibrated(fitted)
        shown = ", ".join(f"{value:.3g}" for value in fitted.values())
        asked = replace(asked, temperatures=fitted, notes=(*asked.notes, f"temperatures fitted on {note}: {shown}"))
    if speed_up is None:
        return asked
    chosen = _chosen(asked.policy, record, dev.stored.costs, dev.metric, speed_up, check_every)
    return replace(
        chosen, temperatures=asked.temperatures, notes=(*asked.notes, f"chosen on {note}: {chosen.notes[0]}")
    )


def _chosen(policy: Any, record: ExitRecord, costs: Any, metric: str, speed_up: float, check_every: int) -> AskedPolicy:
    """The operating point with the best dev score among those at least as fast as asked."""
    from greenexp.exits.policies.choose import stream_policy
    from greenexp.inference.consulting import consulted_exits
    from greenexp.replay.chosen import at_threshold, chosen_thresholds
    from greenexp.replay.naming import described, resolve, text_of
    from greenexp.replay.points import operating_points

    name, fields = described(policy)
    if "threshold" in fields:
        raise InputError(f"--speed-up chooses the threshold of {name}: give the policy without one")
    if costs is None:
        raise InputError("--speed-up: the stored dev logits have no costs beside them")
    # Those that a policy may be asked at which looks at all of them: `static` is to choose among them, too.
    exits = consulted_exits(record.numbers.tolist(), check_every, stream_policy(DEFAULT))
    places = [place for place, number in enumerate(record.numbers.tolist()) if number in exits]
    # FLOPs of exits that are not consulted stay in these costs; here they only decide between equal scores.
    costs = costs.only(places)
    record = record.only(exits)
    label, family = resolve(policy, record)
    points = operating_points(record, family, costs, metric)
    rows = chosen_thresholds(points, [speed_up]).to_dict("records")
    if not rows:
        fastest = points["speed_up"].max()
        raise InputError(f"--speed-up {speed_up:g}: {label} reaches at most {fastest:.3g} on dev with this model")
    row = rows[0]
    return AskedPolicy(
        at_threshold(family, row["threshold"], record),
        text_of(label, row["threshold"]),
        notes=(f"{metric} {row[metric]:.4f} at speed-up {row['speed_up']:.2f}",),
    )


def _default_text() -> str:
    from greenexp.replay.naming import resolve, text_of, threshold_of

    label, family = resolve(DEFAULT)
    return text_of(label, threshold_of(family))


def _mapping(text: str) -> dict[str, Any]:
    """A YAML mapping; the sweep file's reader wants text as keys, and here exits' numbers are keys too."""
    from greenexp.spec.yaml12 import parse

    tree = parse(_NUMBER_AS_KEY.sub(r'\1"\2"', text), "--policy", lines=False)
    if tree.problems:
        raise InputError(f"--policy: {'; '.join(problem.message for problem in tree.problems)}")
    if not isinstance(tree.data, dict):
        raise InputError(f"--policy: {text!r} is not a mapping such as {{name: entropy, threshold: 0.3}}")
    return tree.data
