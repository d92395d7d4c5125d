"""The name of a plug-in stands in its own file, in its registry, and nowhere else in the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenexp.backbones import BACKBONES
from greenexp.compression import COMPRESSIONS
from greenexp.exits import HEADS, POLICIES
from greenexp.methods import METHODS
from greenexp.registry import Registry
from greenexp.replay.family import FAMILIES
from greenexp.schedulers import SCHEDULERS
from greenexp.searches import SEARCHES
from greenexp.tasks import TASKS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "greenexp"
REGISTRIES: dict[str, tuple[Registry, ...]] = {
    "backbones": (BACKBONES,), "compression": (COMPRESSIONS,), "exits": (HEADS, POLICIES),
    "methods": (METHODS,), "replay": (FAMILIES,),
    "schedulers": (SCHEDULERS,), "searches": (SEARCHES,), "tasks": (TASKS,),
}  # fmt: skip
REGISTERED_IN = {
    "backbones/__init__.py", "compression/__init__.py", "exits/__init__.py",
    "methods/__init__.py", "replay/family.py", "schedulers/__init__.py",
    "searches/__init__.py", "tasks/__init__.py", "replay/fields.py",
}  # fmt: skip
"""Where names are registered; `replay/fields.py` has the rules of the fields that both forms of a policy share."""

OTHER_WORDS = {
    "none": "also what users choose where there is nothing",
    "int8": "also a type of numbers, and what of a model is held in it",
    "csv": "also a format of tables that are written",
    "elue": "also the benchmark, a command, and a sweep that comes with greenexp",
    "elasticbert": "also a layout of checkpoints that a model is handed on in, and its folder",
    "hub": "also a format that a model is handed on in, and its folder",
    "grid": "also a property of charts",
    "median": "also a statistic, and a kind of interval",
    "points": "also what is compared: operating points",
    "random": "also a kind of loss weights, and of a test",
    "linear": "also a scale of axes",
    "learned": "also a field of the section `exits`, and an array of stored logits",
    "shapes": "also sizes of arrays, from which costs follow",
    "patience": "also a field of the section `training`",
}
"""Words that mean something else as well -> what, where they stand outside their home."""
DEFAULTS = {
    "records/sweep_spec.py": "what a sweep file has that does not say",
    "records/settings.py": "what a sweep file has that does not say",
    "records/policies.py": "what a sweep file has that does not say, and the exits used alone, which every table has",
    "replay/budgeted.py": "a default of an argument",
}
"""A default has to name something."""


def homes() -> dict[str, set[Path]]:
    """Name of a plug-in that comes with greenexp -> files of its own."""
    found: dict[str, set[Path]] = {}
    for registries in REGISTRIES.values():
        for registry in registries:
            for name, target in registry._targets.items():
                if isinstance(target, str):
                    module = target.partition(":")[0]
                    found.setdefault(name, set()).add(ROOT / f"{module.replace('.', '/')}.py")
    return found


def texts(path: Path) -> Iterator[ast.Constant]:
    """The texts of a file that are values: neither docstrings nor the keys and attributes of the language."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    remarks = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in remarks:
            yield node


def places() -> dict[str, list[str]]:
    """File below the package -> names of plug-ins that stand in it and are not at home there."""
    own = homes()
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in REGISTERED_IN:
            named = {str(node.value) for node in texts(path) if node.value in own and path not in own[str(node.value)]}
            found |= {name: sorted(named)} if named else {}
    return found


def is_design(path: str, name: str) -> bool:
    """Whether a method names the exit head or compression of its publication, which is part of the method."""
    return path.startswith("methods/") and (name in HEADS or name in COMPRESSIONS)


def test_no_plug_in_is_named_outside_its_home() -> None:
    wrong = {
        path: [name for name in names if name not in OTHER_WORDS and not is_design(path, name)]
        for path, names in places().items()
        if path not in DEFAULTS
    }
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize("allowed", [OTHER_WORDS, DEFAULTS], ids=["words", "files"])
def test_what_is_allowed_is_still_needed(allowed: dict[str, str]) -> None:
    found = places()
    used = {*found, *(name for names in found.values() for name in names)}
    assert allowed.keys() - used == set()


def test_a_name_would_be_seen(tmp_path: Path) -> None:
    file = tmp_path / "section.py"
    file.write_text('"""asha"""\n\nif scheduler == "asha":\n    pass\n', encoding="utf-8")
    assert [node.value for node in texts(file)] == ["asha"]
    assert {"asha", "voting", "ensemble", "bert", "linear", "clauses", "grid"} <= homes().keys()
