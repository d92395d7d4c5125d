"""The folder that graphs lie in, and its manifest.

segment-N.onnx, exit-N.onnx     the layers that end at exit N, and the exit itself
full.onnx                       the model up to its last trained exit, which nobody leaves early
*.int8.onnx                     the same with weights of 8 bits
tokenizer.json                  of a model that reads text
graphs.json                     which model they were made of, how they were checked, and the hash of each file
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import CheckpointError, InputError
from greenexp.inference.graphs.pieces import exit_name, segment_name
from greenexp.inference.segments import Precision
from greenexp.records.manifests import MODEL_MANIFEST

MANIFEST = "graphs.json"
FORMAT = 1
GRAPH_PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the graphs of one precision are from the model that they were made of, over all its exits.

    difference: the greatest one of a logit, in units of the greatest logit if that is above 1
    agreement: share of (example, exit) with the same class; None for regression; examples: how many
    """

    examples: int
    difference: float
    agreement: float | None


@dataclass(frozen=True, slots=True)
class GraphFolder:
    """Graphs that were written, with the hash of each file already known to be right.

    model: hash of the manifest of the model that they were made of; exits: numbers of those that have graphs
    remembers: whether exits read the pooled vectors of all layers below; types: whether token types are read
    """

    folder: Path
    model: str
    exits: tuple[int, ...]
    remembers: bool
    types: bool
    checked: dict[str, Agreement]

    @classmethod
    def read(cls, folder: Path, model: Path) -> GraphFolder:
        """The graphs in `folder`. InputError where there are none, or none of the model in the folder `model`.

        Raises CheckpointError if a file is missing or damaged.
        """
        file = folder / MANIFEST
        if not file.is_file():
            raise InputError(f"{folder} holds no ONNX graphs: `greenexp export {model} --format onnx` writes them")
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise InputError(f"{file} has format {found['format']!r}, this version reads {FORMAT}: export again")
            files = dict(found["files"])
            graphs = cls(
                folder,
                str(found["model"]),
                tuple(map(int, found["exits"])),
                bool(found["remembers"]),
                bool(found["types"]),
                {name: Agreement(**facts) for name, facts in found["checked"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{file} cannot be read: {error}") from error
        if graphs.model != model_digest(model):
            raise InputError(
                f"the graphs in {folder} were made of another model than {model}: remove them and export again"
            )
        for name, digest in files.items():
            if not (folder / name).is_file() or sha256(folder / name) != digest:
                raise CheckpointError(f"{folder}: {name} is missing, damaged or half-written")
        return graphs

    def write_manifest(self) -> None:
        """Last of all: without it the folder holds no graphs."""
        files = {path.name: sha256(path) for path in sorted(self.folder.iterdir())}
        facts: dict[str, Any] = {
            "format": FORMAT,
            "model": self.model,
            "exits": list(self.exits),
            "remembers": self.remembers,
            "types": self.types,
            "checked": {name: asdict(found) for name, found in self.checked.items()},
            "files": files,
        }
        (self.folder / MANIFEST).write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def file(self, name: str, precision: str) -> Path:
        """The graph of a piece."""
        return graph_file(self.folder, name, precision)

    def needed(self, number: int) -> tuple[str, str]:
        """The names of the two graphs of an exit."""
        return segment_name(number), exit_name(number)


def graph_file(folder: Path, name: str, precision: str) -> Path:
    """Where the graph of a piece lies."""
    return folder / (f"{name}.onnx" if precision == "fp32" else f"{name}.{precision}.onnx")


def model_digest(model: Path) -> str:
    """A hash over the model's files: its manifest holds the hash of each. Raises CheckpointError."""
    try:
        return sha256(model / MODEL_MANIFEST)
    except OSError as error:
        raise CheckpointError(f"{model}: {MODEL_MANIFEST} cannot be read: {error}") from error


def sha256(file: Path) -> str:
    """Hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
