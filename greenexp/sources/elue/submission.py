"""Submissions to ELUE, read row by row: the slides' tab-separated files and CELUE's JSON lines.

Type 1: `index` and `pred` (or `prediction`). Type 2: besides `modules`. JSON lines have the answer as `pred`,
`prediction`, `answer` or `label`, and may do without an index. Code beside the rows is found, and never imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from greenexp.errors import InputError, did_you_mean
from greenexp.records.module_calls import ModuleCall, parse_calls
from greenexp.records.submitted import RowProblem, SubmittedFile, SubmittedRow

ANSWERS = ("pred", "prediction", "answer", "label")
MODULES, INDEX = "modules", "index"
SUFFIXES = (".tsv", ".jsonl")
CODE = ("model.py", "model_to_eval.py")
"""What the code is called, by ELUE and by CELUE; else it is the only Python file of the folder."""
MOST_B, MOST_ROWS = 2**30, 2_000_000
"""Bytes and rows of a file that are read."""


def read_submission(folder: str | Path) -> dict[str, list[SubmittedFile]]:
    """Folder -> its files by name: of the folder itself, or of its subfolders, one for each task.

    Raises InputError where there is no such file, or one cannot be read at all.
    """
    place = Path(folder)
    if not place.is_dir():
        zipped = " (unpack it first)" if place.suffix == ".zip" else ""
        raise InputError(f"there is no folder {folder}{zipped}: expected a submission's folder of .tsv or .jsonl files")
    found = {path: _files(path) for path in (place, *sorted(sub for sub in place.iterdir() if sub.is_dir()))}
    found = {path: files for path, files in found.items() if files}
    if not found:
        raise InputError(f"{folder}: no file {' or '.join(SUFFIXES)} in it or in the folders below it")
    return {str(path): [_file(file, _code(path)) for file in files] for path, files in found.items()}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())


def _code(folder: Path) -> Path | None:
    """The Python file beside the rows, None for none. InputError where it is not clear which."""
    named = [folder / name for name in CODE if (folder / name).is_file()]
    if named:
        return named[0]
    every = sorted(folder.glob("*.py"))
    if len(every) > 1:
        raise InputError(f"{folder}: which of {', '.join(path.name for path in every)} is it? Name it {CODE[0]}")
    return every[0] if every else None


def _file(path: Path, model: Path | None) -> SubmittedFile:
    try:
        if path.stat().st_size > MOST_B:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes, and at most {MOST_B:,} are read")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    if len(lines) > MOST_ROWS:
        raise InputError(f"{path}: {len(lines):,} lines, and at most {MOST_ROWS:,} are read")
    problems: list[RowProblem] = []
    cells = list(_tab_separated(lines, path, problems) if path.suffix == ".tsv" else _json_lines(lines, problems))
    kinds = {MODULES in row for _, row in cells}
    if len(kinds) == 2:
        first = next(place for place, row in cells if MODULES not in row)
        problems.append(RowProblem(first, "this row says no modules, and others do"))
    known: dict[str, tuple[ModuleCall, ...]] = {}
    rows = []
    for number, (place, row) in enumerate(cells):
        try:
            rows.append(_row(place, number, row, known))
        except InputError as error:
            problems.append(RowProblem(place, str(error)))
    return SubmittedFile(path, 2 if True in kinds else 1, tuple(rows), tuple(problems), model)


def _tab_separated(lines: list[str], path: Path, problems: list[RowProblem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells of each row. InputError for a header that is none."""
    header = [name.strip() for name in (lines[0].split("\t") if lines else [])]
    answers = [name for name in header if name in ANSWERS[:2]]
    if INDEX not in header or len(answers) != 1:
        near = next((did_you_mean(name, (INDEX, *ANSWERS[:2], MODULES)) for name in header), "")
        raise InputError(
            f"{path}:1: expected a header with {INDEX}, one of {' or '.join(ANSWERS[:2])}, and in type 2 {MODULES}, "
            f"separated by tabs; received {', '.join(header) or 'nothing'}{near}"
        )
    for place, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(header):
            problems.append(RowProblem(place, f"{len(cells)} cells, and the header has {len(header)}"))
            continue
        yield place, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _json_lines(lines: list[str], problems: list[RowProblem]) -> Iterator[tuple[int, dict[str, Any]]]:
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            problems.append(RowProblem(place, f"not JSON: {error}"))
            continue
        if not isinstance(row, dict):
            problems.append(RowProblem(place, "expected a JSON object"))
            continue
        yield place, row


def _row(place: int, number: int, row: Mapping[str, Any], known: dict[str, tuple[ModuleCall, ...]]) -> SubmittedRow:
    """known: text of modules -> its calls, as rows of equal length and exit have the same."""
    answers = [name for name in ANSWERS if name in row]
    if len(answers) != 1:
        raise InputError(f"expected one of {', '.join(ANSWERS)}; received {', '.join(answers) or 'none'}")
    index = str(row.get(INDEX, number))
    if not (index.isascii() and index.isdigit()):
        raise InputError(f"index '{index[:40]}': expected a whole number from 0")
    answer = row[answers[0]]
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise InputError(f"{answers[0]}: expected a class or a number, received {answer!r:.40}")
    calls: tuple[ModuleCall, ...] = ()
    if MODULES in row:
        text = row[MODULES]
        if not isinstance(text, str):
            raise InputError(f"{MODULES}: expected text, received {text!r:.40}")
        if text not in known:
            known[text] = parse_calls(text)
        calls = known[text]
    return SubmittedRow(place, int(index), str(answer), calls)
