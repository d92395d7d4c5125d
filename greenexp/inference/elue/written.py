"""The files of a submission: answers of operating points, of type 1 and of type 2, and what each point costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from greenexp.errors import InputError
from greenexp.exits.policies.base import Policy
from greenexp.inference.elue.model_file import model_file
from greenexp.inference.elue.points import PointAnswers, answer_points, row_calls
from greenexp.inference.engine import EarlyExitEngine
from greenexp.records.module_calls import calls_text
from greenexp.tasks.unlabelled import UnlabelledSplit

TYPE_1, TYPE_2 = "type1", "type2"
"""Folders of the two formats."""


@dataclass(frozen=True, slots=True)
class WrittenPoint:
    """One operating point. name: of its files; policy: as text; mflops, layers: of a mean example."""

    name: str
    policy: str
    mflops: float
    layers: float


@dataclass(frozen=True, slots=True)
class PointFiles:
    """files: path below the submission's folder -> text; points: what they are; mparams: of the model, in millions."""

    files: Mapping[str, str]
    points: tuple[WrittenPoint, ...]
    mparams: float


def point_files(
    engine: EarlyExitEngine,
    split: UnlabelledSplit,
    policies: Mapping[str, Policy],
    formats: Sequence[str],
    title: str,
    batch_size: int,
) -> PointFiles:
    """The files of every operating point.

    policies: text -> the policy; formats: TYPE_1, TYPE_2 or both; title: what the model is, for its code
    Raises InputError for a model that has no code where TYPE_2 is asked for, and as the engine does.
    """
    files: dict[str, str] = {}
    if TYPE_2 in formats:
        files[f"{TYPE_2}/model.py"] = model_file(engine.model, title)
    examples = split.texts if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))
    tokens = engine.encode(examples)
    answered = answer_points(engine, tokens, policies, batch_size)
    lengths = [engine.checked(one).length for one in tokens]
    points, taken = [], set[str]()
    for text, point in answered.items():
        name = _file_name(text, taken)
        lines = list(split.form.lines(_written(engine, point)))
        if TYPE_1 in formats:
            files[f"{TYPE_1}/{name}.tsv"] = "\n".join(lines) + "\n"
        if TYPE_2 in formats:
            calls = _calls(engine, lengths, point)
            files[f"{TYPE_2}/{name}.tsv"] = "\n".join(_with_modules(lines, calls)) + "\n"
        layers = np.array([engine.model.exit_layers[number - 1] for number in point.exits])
        points.append(WrittenPoint(name, text, float(point.flops.mean()) / 1e6, float(layers.mean())))
    mparams = engine.model.parameter_count() / 1e6
    if TYPE_1 in formats:
        rows = [f'{p.name}.tsv,{p.mflops:.6g},{mparams:.6g},{p.layers:.4g},"{p.policy}"' for p in points]
        files[f"{TYPE_1}/costs.csv"] = "\n".join(["file,mflops,mparams,mean_layers,policy", *rows]) + "\n"
    return PointFiles(files, tuple(points), mparams)


def _written(engine: EarlyExitEngine, point: PointAnswers) -> list[str | float]:
    """Classes by name, which no order of classes can confuse; values as they are."""
    if engine.model.num_labels == 1:
        return list(point.answers)
    names = engine.label_names
    if not names:
        raise InputError("this model was saved without the names of its classes, so its answers cannot be written")
    return [names[int(answer)] for answer in point.answers]


def _calls(engine: EarlyExitEngine, lengths: Sequence[int], point: PointAnswers) -> list[str]:
    """What ran for each example, as text; examples of one length and exit share it."""
    known: dict[tuple[int, int], str] = {}
    for length, number in zip(lengths, point.exits.tolist(), strict=True):
        if (length, number) not in known:
            known[length, number] = calls_text(row_calls(engine.model, length, point.consulted, number))
    return [known[length, number] for length, number in zip(lengths, point.exits.tolist(), strict=True)]


def _with_modules(lines: Sequence[str], calls: Sequence[str]) -> list[str]:
    header, *rows = lines
    return [f"{header}\tmodules", *(f"{row}\t{ran}" for row, ran in zip(rows, calls, strict=True))]


def _file_name(policy: str, taken: set[str]) -> str:
    """`static:3` -> `static-3`, `patience:4` -> `patience-4`; another name where two would have one."""
    short = re.sub(r"\d+\.\d{6,}", lambda found: f"{float(found[0]):.5g}", policy)
    stem = re.sub(r"[^A-Za-z0-9_.=+-]+", "-", short).strip("-")[:80]
    name = next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10_000))) if name not in taken)
    taken.add(name)
    return name


def write_files(files: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Write them below `folder`, and return where they are. InputError where that is not possible."""
    written = []
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            written.append(path)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    return tuple(written)
