"""What a submission says and costs: rows checked against the test set, multiply-adds of every row, parameters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from greenexp.analysis.elue.board import TRACKS_MPARAMS
from greenexp.analysis.findings import Findings
from greenexp.meters.module_macs import KNOWN, ModuleMacs, ShapePrices
from greenexp.records.module_calls import ModuleCall
from greenexp.records.scored_lines import ELUE_METRICS
from greenexp.records.submitted import RowProblem, SubmittedFile

MEGA = 1e6
MOST_TOLD = 5
"""Rows named of one kind of problem in a file."""
FAR_APART = 0.02
"""Share by which a count may differ from the price by shapes before it is told."""
MODULES, SHAPES, TYPED = "modules", "shapes", "typed"
"""Where a cost is from: the code of the modules, their names and shapes, a file that says so."""
TITLES = {
    "files": "Operating points: performance in points, cost of a mean example (1 multiply-add = 2 FLOPs = 1 MAC)",
    "modules": "What ran in a mean example, and its share of the multiply-adds",
    "problems": "What is wrong",
}
CONVENTIONS = (
    "mflops are 2 x mmacs; mflops and mmacs count matrix products alone, as everywhere in greenexp; counter_mflops and "
    "counter_mmacs are those of ELUE's official counter, which adds layer norms, softmax and the scaling of attention. "
    "Which of them the benchmark's server reports is not published"
)


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """What the test set demands.

    task: of ELUE; rows: how many examples; classes: what may be answered, () for values; limits: of values
    """

    task: str
    rows: int | None = None
    classes: tuple[str, ...] = ()
    limits: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class PricedFile:
    """One operating point with what is known of it.

    file: as it was read; performance: in points, None without labels
    macs: of its calls as counted from the modules, None if no code ran; uncounted: call -> why it has no count
    parameters: of the whole model, None if they are not known; typed_mflops, typed_mparams: what a file beside it says
    """

    file: SubmittedFile
    performance: float | None = None
    macs: Mapping[ModuleCall, ModuleMacs] | None = None
    uncounted: Mapping[ModuleCall, str] = field(default_factory=dict)
    parameters: int | None = None
    typed_mflops: float | None = None
    typed_mparams: float | None = None


def submission_study(
    files: Sequence[PricedFile], sheet: AnswerSheet | None, prices: ShapePrices, notes: Sequence[str] = ()
) -> Findings:
    """Every operating point of a submission, what it costs, and all that is wrong with it.

    Parameters
    ----------
    files : sequence of PricedFile, required
        The points.
    sheet : AnswerSheet, optional
        What the test set demands; without it only the form of the rows is checked.
    prices : ShapePrices, required
        Prices of modules that are known by name, for files whose code did not run, and to compare counts with.
    notes : sequence of str, default ()
        How the counts were made.

    Returns
    -------
    Findings
        The tables files, modules and problems. A cost that is not known for every row is NaN, and a problem says why.

    """
    rows, parts, problems, warnings = [], [], [], []
    for one in files:
        cost = _cost(one, prices)
        rows.append(_row(one, cost, sheet))
        parts.append(_modules(one, cost))
        told = [*_row_problems(one.file, sheet), *cost.problems]
        problems += [{"file": one.file.path.name, "line": each.place, "problem": each.message} for each in told]
        if cost.apart > FAR_APART:
            warnings.append(
                f"{one.file.path.name}: its modules count {cost.apart:.1%} more or less than shapes of known modules "
                "cost: are they of another kind, or does the code not say what ran?"
            )
    table = pd.DataFrame(rows)
    found = pd.DataFrame(problems, columns=["file", "line", "problem"])
    said = [*notes, CONVENTIONS] if (table["cost_from"] != "").any() else [*notes]
    if sheet is None:
        said.append("the task is not known, so that numbers of rows and labels were not checked (--task)")
    tables = {"files": table, "modules": pd.concat(parts, ignore_index=True), "problems": found}
    return Findings((_verdict(table, found),), tables, TITLES, tuple(said), tuple(warnings))


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of a mean row; None if any row has no calls or an unpriced one. apart: from the price by shapes, as a share."""

    products: float | None
    counter: float | None
    source: str = ""
    problems: tuple[RowProblem, ...] = ()
    apart: float = 0.0
    by_module: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def _cost(one: PricedFile, prices: ShapePrices) -> _Cost:
    """Rows of equal calls are counted once: a file of thousands has some hundred kinds."""
    kinds = Counter(row.calls for row in one.file.rows if row.calls)
    if not kinds:
        known = one.typed_mflops is not None
        return _Cost(
            one.typed_mflops * MEGA / 2 if one.typed_mflops is not None else None, None, TYPED if known else ""
        )
    source = SHAPES if one.macs is None else MODULES
    if not all(row.calls for row in one.file.rows):  # the reader says which: a mean would leave them out
        return _Cost(None, None, source)
    total, shapes, unknown, lost = ModuleMacs(0, 0), 0, dict[str, str](), False
    by_module: dict[str, tuple[int, int]] = {}
    for calls, count in kinds.items():
        priced, strange = prices.row(calls)
        shapes += count * priced.products
        lost = lost or bool(strange)
        for call in calls:
            macs = one.macs.get(call) if one.macs is not None else _alone(prices, call, calls)
            if macs is None:
                unknown[str(call)] = one.uncounted.get(call, "no known module")
                continue
            total += ModuleMacs(count * macs.products, count * macs.counter)
            ran, spent = by_module.get(call.name, (0, 0))
            by_module[call.name] = ran + count, spent + count * macs.products
    if unknown:
        shown = "; ".join(f"{call}: {why}" for call, why in list(unknown.items())[:MOST_TOLD])
        more = f" and {len(unknown) - MOST_TOLD} more" if len(unknown) > MOST_TOLD else ""
        how = f" (known from names and shapes: {KNOWN}; others with --trust)" if one.macs is None else ""
        return _Cost(None, None, source, (RowProblem(0, f"not priced: {shown}{more}{how}"),), by_module=by_module)
    apart = 0.0 if one.macs is None or lost or not shapes else abs(total.products / shapes - 1)
    whole = sum(kinds.values())
    return _Cost(total.products / whole, total.counter / whole, source, (), apart, by_module)


def _alone(prices: ShapePrices, call: ModuleCall, calls: Sequence[ModuleCall]) -> ModuleMacs | None:
    """The price of one call of a row by its shape; None if it has none."""
    return prices.call(call, prices.width(calls))


def _row(one: PricedFile, cost: _Cost, sheet: AnswerSheet | None) -> dict[str, object]:
    mparams = one.typed_mparams if one.parameters is None else one.parameters / MEGA

    def mega(macs: float | None, factor: int) -> float:
        return math.nan if macs is None else factor * macs / MEGA

    return {
        "file": one.file.path.name,
        "type": one.file.kind,
        "rows": len(one.file.rows),
        "performance": math.nan if one.performance is None else one.performance,
        "metric": ELUE_METRICS.get(sheet.task, "") if sheet is not None else "",
        "mflops": mega(cost.products, 2),
        "mmacs": mega(cost.products, 1),
        "counter_mflops": mega(cost.counter, 2),
        "counter_mmacs": mega(cost.counter, 1),
        "cost_from": cost.source,
        "mparams": math.nan if mparams is None else mparams,
        "tracks": "" if mparams is None else ", ".join(f"{track} M" for track in TRACKS_MPARAMS if mparams <= track),
    }


def _modules(one: PricedFile, cost: _Cost) -> pd.DataFrame:
    """file, module, per_row (calls of a mean row), share of the multiply-adds."""
    rows = max(1, len(one.file.rows))
    total = sum(spent for _, spent in cost.by_module.values()) or math.nan
    return pd.DataFrame(
        [
            {"file": one.file.path.name, "module": name, "per_row": ran / rows, "share": spent / total}
            for name, (ran, spent) in cost.by_module.items()
        ],
        columns=["file", "module", "per_row", "share"],
    )


def _row_problems(file: SubmittedFile, sheet: AnswerSheet | None) -> Iterator[RowProblem]:
    yield from file.problems
    seen: dict[int, int] = {}
    twice, wrong = [], []
    for row in file.rows:
        if row.index in seen:
            twice.append(RowProblem(row.place, f"index {row.index} is in line {seen[row.index]}, too"))
        seen.setdefault(row.index, row.place)
        if sheet is not None and (why := _wrong_answer(row.answer, sheet)):
            wrong.append(RowProblem(row.place, why))
    yield from _some(twice)
    yield from _some(wrong)
    if sheet is None or sheet.rows is None:
        return
    if missing := [index for index in range(sheet.rows) if index not in seen]:
        shown = ", ".join(map(str, missing[:MOST_TOLD])) + (", ..." if len(missing) > MOST_TOLD else "")
        yield RowProblem(0, f"{len(missing)} of {sheet.rows:,} examples of {sheet.task} have no row: {shown}")
    yield from _some(
        [
            RowProblem(place, f"index {index}: {sheet.task} has the examples 0 to {sheet.rows - 1}")
            for index, place in seen.items()
            if index >= sheet.rows
        ]
    )


def _some(problems: Sequence[RowProblem]) -> Iterator[RowProblem]:
    yield from problems[:MOST_TOLD]
    if len(problems) > MOST_TOLD:
        yield RowProblem(0, f"{len(problems) - MOST_TOLD} more rows like these")


def _wrong_answer(answer: str, sheet: AnswerSheet) -> str:
    """Why an answer cannot be one; "" if it can."""
    if sheet.classes:
        return (
            ""
            if answer in sheet.classes
            else f"'{answer[:40]}' is no class of {sheet.task}: {', '.join(sheet.classes)}"
        )
    low, high = sheet.limits
    try:
        value = float(answer)
    except ValueError:
        return f"'{answer[:40]}' is no number"
    return "" if low <= value <= high else f"{answer[:40]} does not lie between {low:g} and {high:g}"


def _verdict(table: pd.DataFrame, problems: pd.DataFrame) -> str:
    points = f"{len(table)} operating point{'' if len(table) == 1 else 's'}"
    if len(problems):
        return f"{points}, with {len(problems)} problem{'' if len(problems) == 1 else 's'}."
    return f"{points}: every row is in order."
