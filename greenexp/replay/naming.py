"""Every way of giving an exit policy, and how tables name it.

A name; text `NAME:VALUE`, `NAME:VALUE,option=value,...`, `NAME:option=value,...`, where numbers in place of options are
thresholds of exits (`entropy:3=0.2,6=0.4`); a mapping `{"name": ..., <field>: ...}`; the stream form; the replay form.
VALUE, and `threshold` in a mapping, is the policy's parameter, whatever its field is called.

The label in tables is the name and those options that differ from their defaults, without the parameter, which is in
the column `threshold`: `{"name": label, "threshold": threshold}` is the policy again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import numpy as np

from greenexp.errors import InputError, did_you_mean
from greenexp.replay.family import FAMILIES, Family
from greenexp.replay.record import ExitRecord

P = TypeVar("P")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "none": None}


def resolve(policy: Any, record: ExitRecord | None = None) -> tuple[str, Family]:
    """(label, replay form) of a policy given in any way.

    record: what it will be swept over, where that decides which of its fields is swept (patience: classes, regression)
    Raises UnknownNameError, and InputError for options it does not have and values they may not take.
    """
    if _is_family(policy):
        family = cast(Family, policy)
        name = _registered(policy)
    else:
        name, fields = described(policy)
        family = built(name, FAMILIES[name], fields)
    return _label(name, family, record), family


def described(policy: Any) -> tuple[str, dict[str, Any]]:
    """(name, fields given) of a policy; the parameter may be among them as `threshold`."""
    if isinstance(policy, str):
        return _parsed(policy)
    if isinstance(policy, Mapping):
        given = dict(policy)
        if "name" not in given:
            raise InputError(f"{policy!r} is no exit policy: its name is missing")
        name, fields = _parsed(str(given.pop("name")))
        if "threshold" in fields and _is_none(given.get("threshold")):
            given.pop("threshold", None)  # of a label that has the thresholds of exits
        twice = [field for field in given if field in fields]
        if twice:
            raise InputError(f"exit policy '{name}': {twice[0]} is given twice, in the name and beside it")
        return name, fields | {str(field): value for field, value in given.items()}
    if dataclasses.is_dataclass(policy) and not isinstance(policy, type):
        own = _registered(policy) if _is_family(policy) else getattr(policy, "family", None)
        if own is None:
            raise InputError(f"{policy!r} has no replay form")
        return str(own), {field.name: getattr(policy, field.name) for field in dataclasses.fields(policy)}
    raise InputError(f"{policy!r} is no exit policy: expected a name, text like 'patience:3', a mapping, or a policy")


def built(name: str, kind: type[P], fields: Mapping[str, Any], parameters: tuple[str, ...] | None = None) -> P:
    """A policy of class `kind`, either form, from the fields given.

    parameters: what `threshold` may mean, the first that is not given; None: what the class says
    """
    known = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else None
    placed = _placed(name, dict(fields), _parameters(kind) if parameters is None else parameters, known)
    for field in placed:
        if known is not None and field not in known:
            has = ", ".join(known) or "none"
            raise InputError(
                f"exit policy '{name}' has no option '{field}'{did_you_mean(field, known)} (it has: {has})"
            )
    try:
        return kind(**placed)
    except TypeError as error:
        raise InputError(f"exit policy '{name}': {error}") from error


def text_of(label: str, threshold: float) -> str:
    """One line for a label and its threshold, which is the policy again: `entropy:0.3,normalised=true`."""
    if math.isnan(threshold):
        return label
    name, _, options = label.partition(":")
    return f"{name}:{_written(threshold)}" + (f",{options}" if options else "")


def text_per_exit(label: str, thresholds: Mapping[int, float]) -> str:
    """The same for a threshold per exit: `entropy:3=0.2,6=0.4,normalised=true`.

    Each threshold has the fewest digits that are this number again, as a float32 where it is one.
    """
    name, _, options = label.partition(":")
    limits = [f"{number}={shortest(limit)}" for number, limit in thresholds.items()]
    return f"{name}:{','.join([*limits, *filter(None, [options])])}"


def shortest(threshold: float) -> str:
    """The fewest digits that are this threshold again; most are compared as float32, and come from there."""
    single = np.float32(threshold)
    return repr(threshold).removesuffix(".0") if float(single) != threshold else str(single).removesuffix(".0")


def threshold_of(family: Family) -> float:
    """The parameter's value for the column `threshold`; NaN if it has none or no single one."""
    own = getattr(family, family.parameter, None)
    return float(own) if isinstance(own, int | float) else math.nan


def parameters_of(name: str) -> tuple[str, ...] | None:
    """Which fields `threshold` may mean for a policy, by its replay form; None if it has none."""
    return _parameters(FAMILIES[name]) if name in FAMILIES else None


def _is_family(policy: Any) -> bool:
    return not isinstance(policy, type) and hasattr(policy, "taken") and hasattr(policy, "staircase")


def _registered(family: Any) -> str:
    """The name of a replay form, or that of its class if nobody registered it."""
    return next((name for name in FAMILIES if FAMILIES[name] is type(family)), type(family).__name__)


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    name, colon, options = text.strip().partition(":")
    fields: dict[str, Any] = {}
    for item in options.split(",") if colon else []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not key or (equals and not value):
            raise InputError(f"exit policy '{text}': expected NAME:VALUE,option=value,... and no empty part")
        exits = fields.get("threshold")
        if equals and key.isdecimal() and (exits is None or isinstance(exits, dict)) and int(key) not in (exits or {}):
            fields["threshold"] = {**(exits or {}), int(key): _read(value)}
            continue
        field, found = (key, _read(value)) if equals and not key.isdecimal() else ("threshold", _read(key))
        if field in fields:
            raise InputError(f"exit policy '{text}': {field} is given twice")
        fields[field] = found
    return name.strip(), fields


def _read(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))
    return str(value)


def _parameters(kind: Any) -> tuple[str, ...]:
    several = getattr(kind, "parameters", None)
    one = getattr(kind, "parameter", "threshold")
    return tuple(several) if several is not None else (one,) if one else ()


def _placed(name: str, fields: dict[str, Any], parameters: tuple[str, ...], known: list[str] | None) -> dict[str, Any]:
    """`fields` with `threshold` under the name of the parameter it means."""
    if "threshold" not in fields or (known is not None and "threshold" in known):
        return fields
    value = fields.pop("threshold")
    free = [parameter for parameter in parameters if parameter not in fields]
    if free:
        return fields | {free[0]: value}
    if parameters:
        raise InputError(f"exit policy '{name}': {parameters[-1]} is given twice, once as threshold")
    if not _is_none(value):
        raise InputError(f"exit policy '{name}' has no threshold, received {value!r}")
    return fields


def _is_none(threshold: Any) -> bool:
    """Whether a cell of the column `threshold` says that there is none."""
    return threshold is None or (isinstance(threshold, float) and math.isnan(threshold))


def _label(name: str, family: Family, record: ExitRecord | None) -> str:
    if not dataclasses.is_dataclass(family):
        return name
    choose = getattr(family, "swept", None)
    swept = family.parameter if choose is None or record is None else choose(record)
    parameters = _parameters(family)
    before = parameters[: parameters.index(swept)] if swept in parameters else ()
    shown = []
    for field in dataclasses.fields(family):
        value = getattr(family, field.name)
        if isinstance(value, Mapping):
            shown += [f"{number}={_written(limit)}" for number, limit in value.items()] if record is None else []
        elif field.name in before or (field.name != swept and value != field.default):
            shown.append(f"{field.name}={_written(value)}")
    return f"{name}:{','.join(shown)}" if shown else name
