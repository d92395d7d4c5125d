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
from greenexp.records.explain import shown
from greenexp.records.module_calls import ModuleCall, parse_calls
from greenexp.records.submitted import RowProblem, SubmittedFile, SubmittedRow

ANSWERS = ("pred", "prediction", "answer", "label")
MODULES, INDEX = "modules", "index"
SUFFIXES = (".tsv", ".jsonl")
CODE = ("model.py", "model_to_eval.py")
"""What the code is called, by ELUE and by CELUE; else it is the only Python file of the folder."""
MOST_B, MOST_ROWS = 2**30, 2_000_000
"""Bytes and rows of a file that are read."""
MOST_DIGITS = 18
"""Of an index: what a whole number of 64 bits holds."""


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
    for file in (file for files in found.values() for file in files):
        _check_name(file)
    return {str(path): [_file(file, _code(path)) for file in files] for path, files in found.items()}


def _check_name(file: Path) -> None:
    """InputError for a name that cannot be told, as tables and JSON tell names of files."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise InputError(f"{str(file)!a}: the name is no text in UTF-8; rename it") from None


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
        # Read as text every line ends in \n; splitlines would end it at characters that a text may hold, too (U+2028).
        lines = path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
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
    header = [name.strip() for name in lines[0].split("\t")]
    twice = next((name for name in (INDEX, *ANSWERS, MODULES) if header.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}:1: the header names the column {twice} more than once")
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
            yield place, _json_object(line)
        except InputError as error:
            problems.append(RowProblem(place, str(error)))


def _json_object(line: str) -> dict[str, Any]:
    """InputError for what is none, and for what could not be told or computed with."""
    try:
        row = json.loads(line, object_pairs_hook=_named_once)
        if "\\u" in line:  # only an escape can mean what no text in UTF-8 holds
            json.dumps(row, ensure_ascii=False).encode()
    except RecursionError:
        raise InputError("not read: nested too deeply") from None
    except UnicodeEncodeError:
        raise InputError("not read: \\ud800 to \\udfff stand for a character only in pairs") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error}") from None
    except ValueError:  # int() has a limit
        raise InputError("not read: a whole number of thousands of digits") from None
    if not isinstance(row, dict):
        raise InputError("expected a JSON object")
    return row


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. InputError for a name that is given twice, of which json would take the last."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(f"{name[:40]!a} is given more than once")
        found[name] = value
    return found


def _row(place: int, number: int, row: Mapping[str, Any], known: dict[str, tuple[ModuleCall, ...]]) -> SubmittedRow:
    """known: text of modules -> its calls, as rows of equal length and exit have the same."""
    answers = [name for name in ANSWERS if name in row]
    if len(answers) != 1:
        raise InputError(f"expected one of {', '.join(ANSWERS)}; received {', '.join(answers) or 'none'}")
    index = _index(row.get(INDEX, number))
    answer = row[answers[0]]
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise InputError(f"{answers[0]}: expected a class or a number, received {shown(answer)}")
    calls: tuple[ModuleCall, ...] = ()
    if MODULES in row:
        text = row[MODULES]
        if not isinstance(text, str):
            raise InputError(f"{MODULES}: expected text, received {shown(text)}")
        if text not in known:
            known[text] = parse_calls(text)
        calls = known[text]
    return SubmittedRow(place, index, str(answer), calls)


def _index(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise InputError(f"index: expected a whole number from 0, received {shown(given)}")
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        more = "..." if len(text) > 40 else ""
        raise InputError(f"index '{text[:40]}{more}': expected a whole number from 0, of at most {MOST_DIGITS} digits")
    return int(text)
