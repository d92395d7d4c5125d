"""What was replayed from a trial's logits, kept in the sweep's folder, so that the next report need not replay again.

A file `<key>.replay` per trial in the folder `replayed`. The key is a hash of all that the result follows from: the
hashes of the logits, the policies, the metric, the code of this room and of the records that it fills, and the versions
of the libraries that it calculates with. Before its content, a file holds the content's hash, and nothing in it is
unpickled; what is damaged or unreadable counts as absent and is written anew.

Results with policies of other packages are not kept: what those follow from is not known here. A file is written only
into the folder that belongs to the sweep, never through a link to another one; where that folder cannot be written,
nothing is kept and nothing is said. Removing the files costs time and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy

from greenexp import records
from greenexp.durable import write_whole
from greenexp.errors import GreenexpError
from greenexp.records.answers import ExampleAnswers
from greenexp.records.at_rest import FOLDER as LOGITS
from greenexp.records.at_rest import LogitsNames
from greenexp.records.exit_tables import ExitTables
from greenexp.replay.exit_tables import exit_tables
from greenexp.replay.family import FAMILIES
from greenexp.replay.logits import is_whole
from greenexp.replay.naming import described
from greenexp.replay.standing import read_standing

FOLDER, SUFFIX = "replayed", ".replay"
"""Of a sweep's folder, and of the files in it."""
_HASH = 32
"""Bytes of a sha256."""
_FACTS, _POINTS, _TABLES, _ANSWERS = "facts.json", "points", "tables", "answers"


def replayed(folder: Path, names: LogitsNames, policies: Iterable[Any], metric: str) -> ExitTables:
    """`exit_tables` of the logits of these names in a sweep's folder: as they were kept there, or worked out and kept.

    Logits that are absent or damaged are told as such, whatever was kept of them.
    """
    wanted = tuple(policies)
    path = folder / FOLDER / f"{_key(names, wanted, metric)}{SUFFIX}" if _is_known(wanted) else None
    if path is not None and path.is_file() and all(is_whole(folder / LOGITS, name) for name in names.all):
        found = read_kept(path)
        if found is not None:
            return found
    standing = read_standing(folder / LOGITS, names)
    worked_out = exit_tables(standing, wanted, metric)
    if path is not None and not standing.problems:
        _keep(path, worked_out)
    return worked_out


def read_kept(path: Path) -> ExitTables | None:
    """The tables in a file; None where it is damaged or cannot be read."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[_HASH:]).digest() != content[:_HASH]:
            return None
        return _understood(content[_HASH:])
    except Exception:  # whatever a library says of a file that it cannot read
        return None


def _keep(path: Path, tables: ExitTables) -> None:
    """Write the tables, unless the folder is not the sweep's own or cannot be written."""
    if path.parent.is_symlink():
        return
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        content = _written(tables)
        write_whole(path, hashlib.sha256(content).digest() + content)


def _is_known(policies: tuple[Any, ...]) -> bool:
    """Whether all policies are our own, so that the key says what their results follow from."""
    try:
        kinds = [FAMILIES[described(policy)[0]] for policy in policies]
    except (GreenexpError, ImportError, AttributeError):
        return False
    return all(kind.__module__.startswith("greenexp.") for kind in kinds)


def _key(names: LogitsNames, policies: tuple[Any, ...], metric: str) -> str:
    facts = [names.dev, names.test, [_plain(policy) for policy in policies], metric, _code()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=repr).encode()).hexdigest()


def _plain(policy: Any) -> Any:
    return dict(policy) if isinstance(policy, Mapping) else policy


@functools.cache
def _code() -> str:
    """A hash of the code that replays and of the records it fills, and the versions of what they calculate with."""
    digest = hashlib.sha256()
    for version in (np.__version__, pd.__version__, scipy.__version__, pa.__version__):
        digest.update(version.encode())
    for folder in (Path(__file__).parent, Path(str(records.__file__)).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _written(tables: ExitTables) -> bytes:
    """The tables as a zip file of Arrow tables and arrays."""
    buffer = io.BytesIO()
    frames = {_POINTS: tables.points} | {f"{_TABLES}/{name}": frame for name, frame in tables.tables.items()}
    facts = {"tables": list(tables.tables), "remarks": list(tables.remarks), "unread": list(tables.unread)}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(_FACTS, json.dumps(facts))
        for name, frame in frames.items():
            file.writestr(f"{name}.arrow", _arrow(frame))
        for place, answers in enumerate((tables.answers, tables.answers_on_test)):
            for name, array in _arrays(answers):
                part = io.BytesIO()
                np.save(part, array, allow_pickle=False)
                file.writestr(f"{_ANSWERS}/{place}/{name}.npy", part.getvalue())
    return buffer.getvalue()


def _understood(content: bytes) -> ExitTables:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        there = set(file.namelist())
        facts = json.loads(file.read(_FACTS))
        on_dev, on_test = (_answers(file, place, there) for place in range(2))
        return ExitTables(
            points=_frame(file.read(f"{_POINTS}.arrow")),
            tables={name: _frame(file.read(f"{_TABLES}/{name}.arrow")) for name in facts["tables"]},
            remarks=tuple(facts["remarks"]),
            answers=on_dev,
            unread=tuple(facts["unread"]),
            answers_on_test=on_test,
        )


def _arrow(frame: pd.DataFrame) -> bytes:
    table, sink = pa.Table.from_pandas(frame), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _frame(content: bytes) -> pd.DataFrame:
    with pa.ipc.open_stream(content) as stream:
        frame: pd.DataFrame = stream.read_pandas()
    return frame


def _arrays(answers: ExampleAnswers | None) -> Iterator[tuple[str, Any]]:
    if answers is not None:
        for name in ("answers", "labels", "exits", "losses"):
            if getattr(answers, name) is not None:
                yield name, getattr(answers, name)


def _answers(file: zipfile.ZipFile, place: int, there: set[str]) -> ExampleAnswers | None:
    paths = {name: f"{_ANSWERS}/{place}/{name}.npy" for name in ("answers", "labels", "exits", "losses")}
    arrays = {
        name: np.load(io.BytesIO(file.read(path)), allow_pickle=False) for name, path in paths.items() if path in there
    }
    return ExampleAnswers(**arrays) if arrays else None
