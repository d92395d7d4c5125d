"""What a sweep's energy meters counted, whose it was, and how far a figure of energy can be trusted."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.records.energy import EnergyMethod
from greenexp.records.tables import SweepTables

ENERGY_AXES = frozenset({"energy_j", "carbon_g", "money"})
"""Budget axes that follow from energy, money only where energy has a price."""
_PARTS = ("meter_j", "trials_j", "overhead_j", "unattributed_j")
_SHARED = (EnergyMethod.MEASURED_SHARED_UTILISATION, EnergyMethod.MEASURED_SHARED_EQUAL)
MEANING = {
    EnergyMethod.MEASURED_EXCLUSIVE: "the counters of devices that nobody else used",
    EnergyMethod.MEASURED_SHARED_UTILISATION: "its part of the counters, by what its process used of the devices",
    EnergyMethod.MEASURED_SHARED_EQUAL: "its part of the counters, by the time for which it held the devices",
    EnergyMethod.MODELLED: "its time on the devices times powers stated in the sweep file: not a measurement",
    EnergyMethod.UNAVAILABLE: "not measured",
}


def energy_of_sweep(tables: SweepTables) -> Findings:
    """The meters of a sweep with their parts, and its trials by how their energy was found.

    Tables: `devices`, a row per device: counter, joules that its meter counted over all sessions, and the parts they
    were divided into, `meter_j = trials_j + overhead_j + unattributed_j`; `methods`, a row per method: reports, trials,
    joules. Refused where no report has energy and no meter counted any.
    """
    methods, devices = _methods(tables), _devices(tables)
    if devices.empty and set(methods["method"]) <= {EnergyMethod.UNAVAILABLE}:
        return Findings(refusal=_why_not(tables))
    notes, warnings = energy_remarks(tables)
    return Findings(
        verdict=tuple(_sentences(tables, devices)),
        tables={"devices": devices, "methods": methods},
        titles={"devices": "What the energy meters counted", "methods": "How the energy of reports was found"},
        notes=notes,
        warnings=warnings,
    )


def energy_remarks(tables: SweepTables, axis: str = "energy_j") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings for whoever compares trials by an axis that follows from energy; none for other axes."""
    if axis not in ENERGY_AXES or (axis == "money" and tables.spec.accounting.price_per_kwh is None):
        return (), ()
    found = tables.trials.loc[tables.trials["energy_j"].notna(), "energy_method"]
    counts = {method: int((found == method).sum()) for method in EnergyMethod}
    shared, modelled, total = sum(counts[method] for method in _SHARED), counts[EnergyMethod.MODELLED], len(found)
    notes = []
    if shared:
        notes.append(
            f"The energy of {shared} of {total} trials is their part of counters that others used too; "
            "a claim that one method needs less energy than another asks for runs that have a device to themselves "
            "(greenexp measure)."
        )
    if modelled == total and total:
        notes.append("The energy of all trials is modelled from powers stated in the sweep file, and was not measured.")
    if 0 < modelled < total:
        warning = (
            f"The energy of {modelled} trials is modelled and that of {total - modelled} is measured: on one axis they "
            "do not compare."
        )
        return tuple(notes), (warning,)
    return tuple(notes), ()


def _methods(tables: SweepTables) -> pd.DataFrame:
    """A row per method that occurs, from the surest on."""
    epochs = tables.epochs
    groups = epochs.groupby("energy_method", sort=False)
    rows = [
        {
            "method": str(method),
            "reports": len(rows),
            "trials": int(rows["trial"].nunique()),
            "energy_j": float(rows["energy_j"].sum(min_count=1)),
            "meaning": MEANING[method],
        }
        for method in EnergyMethod
        for name, rows in groups
        if name == method
    ]
    types = {"method": "str", "reports": "int64", "trials": "int64", "energy_j": "float64", "meaning": "str"}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _devices(tables: SweepTables) -> pd.DataFrame:
    """The meters of each device, their spans added up."""
    sums = [*_PARTS, "span_s", "samples", "gaps", "sampler_cpu_s"]
    found = tables.energy.groupby(["device", "counter"], sort=False)
    frame = found[sums].sum().reset_index()
    frame["idle_w"] = found["idle_w"].min().to_numpy()
    frame["idle_from"] = found["idle_from"].agg(_together).to_numpy()
    frame["nodes"] = found["node"].nunique().to_numpy()
    return frame[
        ["device", "counter", "nodes", *_PARTS, "idle_w", "idle_from", "span_s", "samples", "gaps", "sampler_cpu_s"]
    ]


def _together(texts: pd.Series) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _sentences(tables: SweepTables, devices: pd.DataFrame) -> list[str]:
    if devices.empty:
        known = tables.epochs["energy_j"].dropna()
        reports = f"{len(known)} of {len(tables.epochs)} reports"
        return [f"{reports} have an energy, {known.sum():,.0f} J in all; the account of the meters is not on record."]
    meter, trials, overhead, unattributed = (float(devices[part].sum()) for part in _PARTS)
    whole = (
        f"The meters counted {meter:,.0f} J: {_share(trials, meter)} belongs to trials, {_share(overhead, meter)} is "
        f"overhead of the sweep, {_share(unattributed, meter)} is unattributed."
    )
    sentences = [whole]
    reported = float(tables.epochs.loc[tables.epochs["energy_method"] != EnergyMethod.MODELLED, "energy_j"].sum())
    beyond = trials - reported
    if beyond > 0.005 * trials:
        sentences.append(
            f"Of the trials' part, {_share(beyond, trials)} is in no report: waiting, and epochs that broke off."
        )
    return sentences


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole > 0 else "0 %"


def _why_not(tables: SweepTables) -> str:
    reasons = tables.ledger.loc[tables.ledger["axis"] == "energy_j", "reason"]
    why = str(reasons.iloc[0]) if len(reasons) else ""
    return f"energy was not measured{': ' if why else ''}{why}"


_IDLE_INCLUDED = "A training includes the idle power of the machine; inference is per example and above idle power."


def measured_energy(tables: SweepTables) -> Findings:
    """The energy of work that was done once more, alone: mean and standard deviation over its repeats.

    Table `measured`: trial, what (training or inference), point, repeats, energy_j and sd_j (n-1; NaN of one repeat; of
    inference per example above idle power), idle_w, wall_s, examples, sweep_j: what the sweep had recorded of the
    training; reproduced: whether all repeats came to the recorded scores. Refused where nothing was measured so.
    """
    found = tables.measurements
    if found.empty:
        return Findings(refusal="nothing was measured alone (greenexp measure does it)")
    recorded = tables.trials.set_index("trial")["energy_j"]
    rows = [
        {
            "trial": trial,
            "what": what,
            "point": point,
            "repeats": len(group),
            "energy_j": float(group["energy_j"].mean()),
            "sd_j": float(group["energy_j"].std(ddof=1)),
            "idle_w": float(group["idle_w"].mean()),
            "wall_s": float(group["wall_s"].mean()),
            "examples": int(group["examples"].iloc[0]),
            "sweep_j": float(recorded[str(trial)]) if what == "training" else float("nan"),
            "reproduced": bool(group["reproduced"].all()) if what == "training" else pd.NA,
        }
        for (trial, what, point), group in found.groupby(["trial", "what", "point"], sort=False)
    ]
    table = pd.DataFrame(rows).astype({"reproduced": "boolean"})
    changed = list(table.loc[table["reproduced"].eq(other=False).fillna(value=False), "trial"])
    warnings = (f"training {', '.join(changed)} again did not give the recorded scores.",) if changed else ()
    return Findings(
        verdict=tuple(_measured_sentence(row) for row in rows if row["what"] == "training"),
        tables={"measured": table},
        titles={"measured": "Energy of work that was done once more, alone"},
        notes=(_IDLE_INCLUDED,),
        warnings=warnings,
    )


def _measured_sentence(row: dict[str, object]) -> str:
    spread = "" if row["repeats"] == 1 else f" ± {row['sd_j']:,.4g} J over {row['repeats']} repeats"
    return f"Training {row['trial']} alone took {row['energy_j']:,.4g} J{spread} (idle power {row['idle_w']:.3g} W)."
