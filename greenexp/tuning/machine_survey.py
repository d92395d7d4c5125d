"""What a machine has for trials. Only the standard library: the code is sent to nodes that may lack everything else."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import pathlib
import platform
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class InstalledPlugin(NamedTuple):
    """A plug-in that another package provides by an entry point; path: of its kind (`plan.plugins.REGISTRIES`)."""

    path: str
    kind: str
    name: str
    package: str
    group: str
    module: str


def survey_machine(
    packages: Sequence[str], plugins: Iterable[Sequence[str]] = (), *, gpus: bool = False
) -> dict[str, Any]:
    """Versions of Python and `packages`, the hash of greenexp's code, and what is free on this machine.

    plugins: fields of `InstalledPlugin`, of those that must be there; gpus: whether torch must be able to use one
    """
    scratch = tempfile.gettempdir()
    return {
        "versions": {
            "Python": ".".join(platform.python_version_tuple()[:2]),
            **{name: _version(name) for name in packages},
        },
        "code": _code_hash("greenexp"),
        "absent": [(kind, name, package) for _, kind, name, package, *place in plugins if not _is_there(name, *place)],
        "gpu_problem": _gpu_problem() if gpus else "",
        "scratch": scratch,
        "disk_b": shutil.disk_usage(scratch).free,
        "memory_b": _free_memory_b(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _code_hash(package: str) -> str:
    """Over names and contents of a package's modules."""
    spec = importlib.util.find_spec(package)
    digest = hashlib.sha256()
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(pathlib.Path(folder).rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _is_there(name: str, group: str, module: str) -> bool:
    try:
        found = importlib.util.find_spec(module) is not None
    except ImportError:  # the package above it is missing
        found = False
    return found and bool(importlib.metadata.entry_points(group=group, name=name))


def _free_memory_b() -> int | None:
    try:
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)


def _gpu_problem() -> str:
    try:
        import torch

        usable = torch.cuda.is_available()
    except Exception as error:  # a torch that does not fit the machine may raise anything
        return f"torch cannot be imported: {type(error).__name__}: {error}"
    return "" if usable else "Ray announces GPUs there, and torch finds none that it can use"
