"""Tables in files: CSV and TSV with the line of every row, and Parquet.

CSV with commas, semicolons or tabs, whichever stands in the header most often; UTF-8, with or without a byte order
mark.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from greenexp.errors import InputError
from greenexp.sources.columns import LINE, ROW, Cells

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
SEPARATORS = (",", ";", "\t")


def is_table(source: str | Path) -> bool:
    """Whether `source` names a table in a file, by its suffix."""
    return Path(source).suffix.lower() in SUFFIXES


def read_file(path: Path) -> Cells:
    """The table in `path`. InputError for a file that cannot be read so, with the line of what is wrong.

    A row's line is where it ends in a text file; in a Parquet file, rows are counted from 1.
    """
    return _parquet(path) if path.suffix.lower() == ".parquet" else _text(path)


def _text(path: Path) -> Cells:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    first = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    # Not splitlines: cells hold other characters that Unicode counts as line ends (U+2028).
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    header: list[str] = []
    rows: list[list[Any]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = [cell.strip() for cell in row]
                continue
            if len(row) != len(header):
                raise InputError(f"{path}:{reader.line_num}: {len(row)} cells, and the header has {len(header)}")
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from None
    return Cells(str(path), header, rows, LINE, lines)


def _parquet(path: Path) -> Cells:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file: {error}") from None
    columns = [column.to_pylist() for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Cells(str(path), list(table.column_names), rows, ROW, range(1, len(rows) + 1))
