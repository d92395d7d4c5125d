"""Submissions to ELUE: written from a trained model, and checked, whoever wrote them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from greenexp.analysis.elue.check import AnswerSheet, PricedFile, submission_study
from greenexp.analysis.exits.policies import family_of, leaves_early
from greenexp.analysis.findings import Findings
from greenexp.api.engines import EngineOptions, ServedModel, choose_policy, load_found
from greenexp.errors import InputError, UnknownNameError
from greenexp.extras import require
from greenexp.meters.module_macs import ShapePrices
from greenexp.records.arrays import Floats
from greenexp.records.policies import STATIC
from greenexp.records.scored_lines import ELUE_METRICS, ELUE_TASKS, CostConvention
from greenexp.records.submitted import SubmittedFile
from greenexp.replay.naming import text_of
from greenexp.replay.serving_policy import LAST_EXIT
from greenexp.sources.checkpoints import FoundModel, find_model, recorded_settings
from greenexp.sources.columns import MISSING, read_columns
from greenexp.sources.elue.paper import Paper, PaperPoint, PaperTask
from greenexp.sources.elue.submission import read_submission
from greenexp.sources.files import read_file
from greenexp.sources.tables import read_tables

if TYPE_CHECKING:
    from greenexp.inference.elue.trusted import CountedModel, TrustLimits
    from greenexp.inference.elue.written import WrittenPoint

COSTS_FILE = "costs.csv"
"""Beside files of type 1: what each operating point costs, which the benchmark's form asks for."""
COSTS = ("mflops", "mparams")
MOST_COST = 1e15
"""Of both: far above any model's, so that a mistyped number is not computed with."""
MOST_POINTS = 6
"""Operating points that are written of each policy whose threshold is not named."""
FORMATS = ("1", "2")


def _tell_nobody(_: object) -> None:
    """For callers who do not watch."""


@dataclass(frozen=True, slots=True)
class SubmissionFolder:
    """folder: of the task; files: what was written; points: what they are."""

    folder: Path
    files: tuple[Path, ...]
    points: tuple[WrittenPoint, ...]


def write_submission(
    source: str | Path,
    *,
    trial: str | None = None,
    policies: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    most_points: int = MOST_POINTS,
    batch_size: int = 32,
    out: str | Path | None = None,
    loaded: Callable[[ServedModel], None] = _tell_nobody,
) -> SubmissionFolder:
    """Write the submission of a trained model: a file for each operating point, and the code of its modules.

    source: a sweep's folder or a model's; trial: another trial than the chosen one that is best on dev
    policies: `NAME:VALUE` for one operating point, or a name, of whose thresholds on record at most `most_points` are
        taken, evenly over their cost on dev; () for every trained exit used alone and the policies on record
    formats: "1" answers, "2" answers and modules with `model.py`, or both
    out: folder, by default `submission` in the sweep's; loaded: called once the model is there
    Raises InputError for a task that is not ELUE's, for a policy without a record, and as the engine does.
    """
    require()
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("type of submission", name, FORMATS)
    found = find_model(source, trial)
    task = recorded_settings(found).task
    if task.name != "elue":
        raise InputError(f"{found.trial} was trained on the task '{task.name}', and ELUE takes its own tasks (elue)")
    split = task.plugin().unlabelled()["test"]
    options = EngineOptions(policy=LAST_EXIT)
    model = load_found(found, choose_policy(found, options), options)
    loaded(model)
    # Here and not above: they load torch.
    from greenexp.exits.policies.choose import stream_policy
    from greenexp.inference.elue.written import TYPE_1, TYPE_2, point_files, write_files

    kinds = [{"1": TYPE_1, "2": TYPE_2}[one] for one in dict.fromkeys(formats)]
    serving, engine = model.engine.serving, model.engine
    trained = engine.model.exits if serving is None else serving.trained_exits
    texts = _operating_points(found, policies, most_points, trained)
    streams = {text: stream_policy(text) for text in texts}
    name = str(task.options["task"])
    written = point_files(engine, split, streams, kinds, f"{found.trial} on ELUE {name}", batch_size)
    folder = (Path(out) if out is not None else (found.sweep or found.folder) / "submission") / name
    return SubmissionFolder(folder, write_files(written.files, folder), written.points)


def _operating_points(found: FoundModel, policies: Sequence[str], most: int, trained: Sequence[int]) -> list[str]:
    """The policies with their thresholds, as text; see `write_submission`. trained: exits of the model."""
    texts = [text for text in policies if ":" in text]
    wanted = [text for text in policies if ":" not in text and text != STATIC]
    if not policies or STATIC in policies:
        texts += [text_of(STATIC, float(number)) for number in trained]
    if policies and not wanted:
        return list(dict.fromkeys(texts))
    if found.sweep is None:
        raise InputError(
            f"{found.folder} lies in no sweep, whose record has thresholds: name them (--policy NAME:VALUE)"
        )
    points = read_tables(found.sweep).tables.operating_points
    points = points[(points["trial"] == found.trial) & leaves_early(points["policy"])]
    known = list(dict.fromkeys(points["policy"].astype(str)))
    for name in wanted:
        if not any(name in (label, family_of(label)) for label in known):
            raise UnknownNameError("exit policy on record", name, known)
    for label in known:
        if wanted and label not in wanted and family_of(label) not in wanted:
            continue
        own = points[points["policy"] == label].dropna(subset=["inference_flops"])
        own = own.drop_duplicates(["inference_flops", "score"]).sort_values("inference_flops", kind="stable")
        chosen = own.iloc[_evenly(own["inference_flops"].to_numpy(), most)]
        texts += [text_of(label, float(threshold)) for threshold in chosen["threshold"]]
    return list(dict.fromkeys(texts))


def _evenly(costs: Floats, most: int) -> list[int]:
    """Places of at most `most` of ascending costs, the nearest to costs evenly spaced from the first to the last."""
    if len(costs) <= most:
        return list(range(len(costs)))
    return sorted({int(np.abs(costs - wanted).argmin()) for wanted in np.linspace(costs[0], costs[-1], most)})


def check_submission(
    folder: str | Path,
    *,
    task: str = "",
    data: str | Path | None = None,
    classes: int | None = None,
    intermediate: int | None = None,
    heads: int | None = None,
    trust: bool = False,
    time_limit_s: float = 300.0,
    memory_limit_b: int = 8 * 2**30,
) -> Findings:
    """Check a submission's rows, and count what they cost.

    folder: with .tsv or .jsonl files, or with a folder of them for each task
    task: of ELUE; by default the folder's name, or that of the folder above it, where it is one
    data: the benchmark's folder: numbers of rows are checked, and with the labels of test_full.tsv answers are scored
    classes, intermediate, heads: of the model, for prices from shapes; by default the task's, 4 H, and one for each 64
    trust: run the code beside the rows, in a process of its own with these limits; see `inference.elue.trusted`
    Raises InputError where there is nothing to check, and for code that cannot be run.
    """
    submission = read_submission(folder)
    if len(submission) > 1 and task:
        raise InputError(f"{folder} holds {len(submission)} folders, so their tasks are told by their names")
    findings = [
        _checked(Path(place), files, task, data, ShapeOptions(classes, intermediate, heads), limits)
        for limits in [_limits(time_limit_s, memory_limit_b) if trust else None]
        for place, files in submission.items()
    ]
    return findings[0] if len(findings) == 1 else _joined(list(submission), findings)


@dataclass(frozen=True, slots=True)
class ShapeOptions:
    """As of `ShapePrices`; classes: None for the task's."""

    classes: int | None = None
    intermediate: int | None = None
    heads: int | None = None


def _limits(time_limit_s: float, memory_limit_b: int) -> TrustLimits:
    from greenexp.inference.elue.trusted import TrustLimits

    return TrustLimits(time_limit_s, memory_limit_b)


def _checked(
    place: Path,
    files: Sequence[SubmittedFile],
    task: str,
    data: str | Path | None,
    shapes: ShapeOptions,
    limits: TrustLimits | None,
) -> Findings:
    name = task or next((part for part in reversed(place.absolute().parts) if part in ELUE_TASKS), "")
    if name and name not in ELUE_TASKS:
        raise UnknownNameError("task of ELUE", name, ELUE_TASKS)
    sheet, labels = _sheet(name, data) if name else (None, None)
    classes = shapes.classes or (len(sheet.classes) or 1 if sheet is not None else None)
    notes = []
    if classes is None:
        classes = 2
        notes.append("the number of classes is not known, and taken as 2 where modules are priced by their shapes")
    costs = _typed_costs(place)
    priced = []
    model = next((file.model for file in files if file.kind == 2), None)
    counted = None
    if limits is not None:
        counted = _counted(place, files, model, limits)
        notes.append(
            f"{model} ran in a process of its own, "
            + ("without a network" if counted.without_network else "with the network: this machine forbids namespaces")
            + f", for at most {limits.wall_s:g} s and {limits.memory_b / 2**30:g} GiB; it could read what you can read"
        )
    elif model is not None:
        notes.append(f"{model} is code and was not run (--trust runs it): modules are priced by name and shape")
    for file in files:
        typed = costs.get(file.path.name, {})
        priced.append(
            PricedFile(
                file,
                _performance(name, file, labels),
                None if counted is None or file.kind == 1 else counted.macs,
                {} if counted is None else counted.problems,
                None if counted is None else counted.parameters,
                typed.get("mflops"),
                typed.get("mparams"),
            )
        )
    return submission_study(priced, sheet, ShapePrices(classes, shapes.intermediate, shapes.heads), notes)


def _counted(place: Path, files: Sequence[SubmittedFile], model: Path | None, limits: TrustLimits) -> CountedModel:
    from greenexp.inference.elue.trusted import count_model

    calls = [call for file in files for row in file.rows for call in row.calls]
    if not calls:
        raise InputError(f"{place}: no row says which modules ran (type 1), so there is nothing to run")
    return count_model(model or place / "model.py", calls, limits)


def _sheet(task: str, data: str | Path | None) -> tuple[AnswerSheet, list[str] | None]:
    """What the test set demands, and its labels where they are there."""
    from greenexp.tasks.elue import LAYOUTS, VALUES, written_labels

    classes = tuple(LAYOUTS[task].classes)
    limits = (-np.inf, np.inf) if classes else VALUES
    labels = None if data is None else written_labels(task, str(data))
    return AnswerSheet(task, None if labels is None else len(labels), classes, limits), labels


def _performance(task: str, file: SubmittedFile, labels: Sequence[str] | None) -> float | None:
    """In points; None without labels, or where the answers are not whole."""
    from greenexp.tasks.elue import performance

    if labels is None or file.problems:
        return None
    answers = {row.index: row.answer for row in file.rows}
    if len(answers) != len(file.rows) or set(answers) != set(range(len(labels))):
        return None
    try:
        return performance(task, [answers[index] for index in range(len(labels))], labels)
    except (InputError, ValueError):  # the problems say which answer is none
        return None


def _typed_costs(place: Path) -> dict[str, dict[str, float]]:
    """File -> mflops and mparams, as whoever handed it in says; a number whose cell is empty is left out.

    Raises InputError with the line for a file that is named twice, and for a cost that is none.
    """
    path = place / COSTS_FILE
    if not path.is_file():
        return {}
    cells = read_file(path)
    columns = read_columns(cells, COSTS, ["file"])
    costs: dict[str, dict[str, float]] = {}
    for row, name in enumerate(columns.words["file"]):
        if name in costs:
            first = columns.places[columns.words["file"].index(name)]
            raise InputError(f"{columns.place(row)}: {name} has its costs in {columns.unit} {first}, too")
        costs[name] = {}
        for key in COSTS:
            value, cell = float(columns.numbers[key][row]), str(cells.rows[row][cells.header.index(key)]).strip()
            if np.isnan(value) and cell.lower() in MISSING - {"nan"}:
                continue
            if not 0 < value <= MOST_COST:
                raise InputError(
                    f"{columns.place(row)}: {key} is {cell:.40}: expected a number above 0 and at most "
                    f"{MOST_COST:g}, or an empty cell where it is not known"
                )
            costs[name][key] = value
    return costs


def _joined(places: Sequence[str], findings: Sequence[Findings]) -> Findings:
    """The findings of several tasks as one, each table with the folder."""
    tables = {
        name: pd.concat(
            [each[name].assign(folder=Path(place).name) for place, each in zip(places, findings, strict=True)],
            ignore_index=True,
        )
        for name in findings[0].tables
    }
    verdict = tuple(
        f"{Path(p).name}: {text}" for p, each in zip(places, findings, strict=True) for text in each.verdict
    )
    notes, warnings = (
        tuple(dict.fromkeys(text for each in findings for text in getattr(each, name)))
        for name in ("notes", "warnings")
    )
    return Findings(verdict, tables, findings[0].titles, notes, warnings)


def points_of(findings: Findings, task: str, model: str, convention: CostConvention = CostConvention.FLOPS) -> Paper:
    """What a check found, in the form of a paper's points. InputError where no file has a performance and a cost.

    convention: which of the four numbers of a cost is written
    """
    column = {
        CostConvention.FLOPS: "mflops",
        CostConvention.MACS: "mmacs",
        CostConvention.COUNTER_FLOPS: "counter_mflops",
        CostConvention.COUNTER_MACS: "counter_mmacs",
    }[convention]
    rows = findings["files"].dropna(subset=["performance", column])
    if rows.empty:
        raise InputError(
            "no file has both a performance (--data, with labels) and a cost, so there is no point to write"
        )
    points = tuple(
        PaperPoint(
            performance=float(row["performance"]),
            mflops=float(row[column]),
            mparams=float(row["mparams"]) if row["mparams"] > 0 else None,
            name=str(row["file"]),
        )
        for _, row in rows.iterrows()
    )
    return Paper(model=model, counted=convention, tasks={task: PaperTask(metric=ELUE_METRICS[task], points=points)})
