"""What the energy meters counted, whose it was, and how it was found."""

from __future__ import annotations

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.energy import energy_of_sweep, measured_energy
from greenexp.figures.energy import energy_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.table import Column, Table

_DEVICES = (
    Column("device", "Device", "name"),
    Column("counter", "Counter", "name"),
    Column("nodes", "Nodes", "count"),
    Column("meter_j", "Meter", "quantity", "J"),
    Column("trials_j", "Trials", "quantity", "J"),
    Column("overhead_j", "Overhead", "quantity", "J"),
    Column("unattributed_j", "Unattributed", "quantity", "J"),
    Column("idle_w", "Idle power (W)", "number"),
    Column("idle_from", "Idle power from", "text"),
    Column("samples", "Samples", "count"),
    Column("gaps", "Failed samples", "count"),
    Column("sampler_cpu_s", "CPU time of the sampler", "quantity", "s"),
)
_METHODS = (
    Column("method", "Method", "name"),
    Column("reports", "Reports", "count"),
    Column("trials", "Trials", "count"),
    Column("energy_j", "Energy", "quantity", "J", missing="not measured"),
    Column("meaning", "The energy of a report is", "prose"),
)
_ALONE = (
    Column("trial", "Trial", "name"),
    Column("what", "Work", "name"),
    Column("point", "Operating point", "name"),
    Column("repeats", "Repeats", "count"),
    Column("energy_j", "Energy", "quantity", "J"),
    Column("sd_j", "Standard deviation", "quantity", "J"),
    Column("sweep_j", "In the sweep", "quantity", "J"),
    Column("idle_w", "Idle power (W)", "number"),
    Column("reproduced", "Same scores", "text"),
)


def section(tables: SweepTables) -> Section:
    """The meters with their parts, and the methods; or why there is nothing."""
    found = energy_of_sweep(tables)
    if found.refusal:
        return Section("energy", "Energy", headline=(f"{found.refusal[:1].upper()}{found.refusal[1:]}.",))
    devices, methods = found["devices"], found["methods"]
    alone = measured_energy(tables)
    table = Table(
        "energy-methods", "How the energy of reports was found", methods, _METHODS, "The surest method stands first."
    )
    plates: tuple[Plate, ...] = ()
    if len(devices):
        meters = Table(
            "energy-meters", "What the energy meters counted", devices, _DEVICES, "Trials, overhead and unattributed "
            "energy add up to the meter."
        )  # fmt: skip
        plates = (Plate(energy_figure(devices), meters),)
    return Section(
        name="energy",
        title="Energy",
        headline=(*found.verdict, *alone.verdict, *found.warnings, *alone.warnings),
        plates=plates,
        tables=(table, *_alone(alone)),
        assumptions=(*found.notes, *(_ASSUMPTIONS if plates else ()), *alone.notes),
    )


def _alone(found: Findings) -> tuple[Table, ...]:
    """What was measured once more."""
    if found.refusal:
        return ()
    note = "In the sweep: what it had recorded of the training. Of answers, energy is per example and above idle power."
    return (Table("energy-alone", "Energy measured again, alone", found["measured"], _ALONE, note),)


_ASSUMPTIONS = (
    (
        "Idle power is that of a device that no trial holds, or the lowest that was seen; it is divided by allocated "
        "share. All power above it is divided by use: CPU time on CPUs, SM utilisation on GPUs."
    ),
    (
        "Overhead is idle power that no trial held, and what the driver used. What other processes used, and what "
        "nobody can be named for, is unattributed."
    ),
    "CPU time and SM utilisation say who used a device, not how hard: instructions differ in power by a tenth or more.",
)
