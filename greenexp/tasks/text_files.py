"""Text files as tables: tab-separated, comma-separated, JSON lines; UTF-8 with or without byte order mark; also .gz."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from greenexp.errors import InputError, user_path
from greenexp.tasks.table import RawTable

_MARK = b"\xef\xbb\xbf"
_BLOCK_B = 1 << 20


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file's decoded text. name: as it was given; digest: sha256 of its bytes as they lie on disk."""

    name: str
    text: str
    digest: str

    @classmethod
    def read(cls, name: str) -> TextFile:
        """Raises InputError, for text that is not UTF-8 with its line."""
        with _reading(name) as path:
            stored = path.read_bytes()
            content = gzip.decompress(stored) if path.suffix == ".gz" else stored
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise InputError(f"{name}:{line}: not UTF-8 (byte 0x{content[error.start]:02x})") from error
        return cls(name, text, hashlib.sha256(stored).hexdigest())


def lines_of(name: str) -> Iterator[str]:
    r"""The lines of a text file without their ends, one after the other: the file is never in memory as a whole.

    Only `\n` and `\r\n` end a line. Raises as `TextFile.read` does, once the line at fault is reached.
    """
    with _reading(name) as path, gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(_MARK) if number == 1 else line
            if content.endswith(b"\n"):
                content = content[:-1].removesuffix(b"\r")
            try:
                yield content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(f"{name}:{number}: not UTF-8 (byte 0x{content[error.start]:02x})") from error


def file_digest(name: str) -> str:
    """The sha256 of a file's bytes as they lie on disk. Raises InputError where it cannot be read."""
    digest = hashlib.sha256()
    with _reading(name) as path, path.open("rb") as file:
        while block := file.read(_BLOCK_B):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _reading(name: str) -> Iterator[Path]:
    """The path of a file that the user named; what goes wrong while it is read is an InputError."""
    path = user_path(name)
    try:
        yield path
    except FileNotFoundError:
        where = "" if path.is_absolute() else f" (relative to the working directory {Path.cwd()})"
        raise InputError(f"there is no file {name}{where}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_tsv(name: str, *, header: bool, skip_broken: bool = False) -> RawTable:
    """Tabs between columns, one row per line, quotation marks are ordinary characters (as in GLUE).

    skip_broken: leave rows with another number of columns out, and count them, instead of refusing the file
    """
    file = TextFile.read(name)
    # Not splitlines: texts hold other characters that Unicode counts as line ends.
    lines = [line.removesuffix("\r") for line in file.text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    rows, numbers = [line.split("\t") for line in lines], list(range(1, len(lines) + 1))
    if skip_broken and rows:
        whole = [place for place, row in enumerate(rows) if len(row) == len(rows[0])]
        rows, numbers = [rows[place] for place in whole], [numbers[place] for place in whole]
    hint = " (quotation marks are ordinary characters unless `quoted` is set)"
    return replace(_with_header(file, rows, numbers, header, hint), left_out=len(lines) - len(rows))


def read_quoted(name: str, *, delimiter: str, header: bool) -> RawTable:
    """Columns may stand in double quotes, then they may hold delimiters, line ends and doubled quotes (RFC 4180)."""
    file = TextFile.read(name)
    reader = csv.reader(io.StringIO(file.text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    begins = 1
    try:
        for row in reader:
            if row:  # an empty line
                rows.append(row)
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{name}:{begins}: {error} (quoting with double quotes is expected)") from error
    return _with_header(file, rows, lines, header)


def read_jsonl(name: str) -> RawTable:
    """One JSON object per line."""
    file = TextFile.read(name)
    numbered = [(number, line) for number, line in enumerate(file.text.split("\n"), start=1) if line.strip()]
    rows = [_parsed(name, number, line) for number, line in numbered]
    return RawTable(name, rows, [number for number, _ in numbered], digest=file.digest)


def _parsed(name: str, number: int, line: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except RecursionError as error:
        raise InputError(f"{name}:{number}: not read: nested too deeply") from error
    except ValueError as error:
        raise InputError(f"{name}:{number}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{name}:{number}: expected an object {{...}}, found {type(value).__name__}")
    return value


def _with_header(file: TextFile, rows: list[list[str]], lines: Sequence[int], header: bool, hint: str = "") -> RawTable:
    if not rows:
        raise InputError(f"{file.name} is empty")
    expected = len(rows[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != expected:
            first = "header" if header else "first row"
            raise InputError(f"{file.name}:{line}: {len(row)} columns where the {first} has {expected}{hint}")
    names = tuple(name.strip() for name in rows[0]) if header else None
    return RawTable(file.name, rows[header:], lines[header:], names, file.digest)
