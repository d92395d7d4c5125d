"""pyproject.toml against the imports: nothing used that is not named there, nothing named there that is not used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from greenexp.extras import TRAIN

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWNERS = packages_distributions()
# Part of another dependency, which chooses its version.
CARRIED = {"pydantic-core": "pydantic", "sqlalchemy": "mlflow"}
# Used as a program, or for its types alone.
PROGRAMS = {
    "pytest-timeout", "pytest-xdist", "ruff", "mypy", "import-linter", "build", "pandas-stubs", "scipy-stubs",
    "types-pyyaml", "ipykernel",
}  # fmt: skip


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def imported(folder: str) -> dict[str, str]:
    """Top-level package -> one file that imports it, the standard library and greenexp left out."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, str(path.relative_to(ROOT)))
    local = {path.stem for path in (ROOT / folder).rglob("*.py")} | {"greenexp"}
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names and name not in local}


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def distribution_of(package: str) -> str:
    names = {normal(name) for name in OWNERS.get(package, ())}
    names = names or {normal(package)}  # of an extra that is not installed here
    return min(CARRIED.get(name, name) for name in names)


REQUIRED = declared(PROJECT["dependencies"])
TRAIN_EXTRA = declared(PROJECT["optional-dependencies"]["train"])


def test_the_package_knows_what_its_extra_brings() -> None:
    assert {distribution_of(module) for module in TRAIN} == TRAIN_EXTRA


def test_what_the_package_imports_is_declared() -> None:
    """Extras too; what they bring is imported where it is asked for (tests/house/test_light_start.py)."""
    extras = [one for name, needs in PROJECT["optional-dependencies"].items() if name != "test" for one in needs]
    allowed = REQUIRED | declared(extras)
    stray = {name: path for name, path in imported("greenexp").items() if distribution_of(name) not in allowed}
    assert stray == {}


def test_what_is_declared_is_imported() -> None:
    # pandas reads and writes Parquet through pyarrow.
    used = {distribution_of(name) for name in imported("greenexp")} | {"pyarrow"}
    assert (REQUIRED | TRAIN_EXTRA) - used == set()


def test_what_the_tests_import_is_declared() -> None:
    allowed = REQUIRED | TRAIN_EXTRA | declared(PROJECT["optional-dependencies"]["test"])
    benchmarks = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}  # on the path of pytest
    found = {name: path for name, path in imported("tests").items() if name not in benchmarks}
    stray = {name: path for name, path in found.items() if distribution_of(name) not in allowed}
    assert stray == {}


def test_what_the_tests_declare_is_used() -> None:
    used = {distribution_of(name) for name in imported("tests")} | PROGRAMS
    assert declared(PROJECT["optional-dependencies"]["test"]) - used - {"greenexp"} == set()


def test_each_dependency_names_who_needs_it() -> None:
    """The comment beside a dependency begins with files or rooms that import it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("cluster = [")[0]
    named = re.findall(r'^  "([\w-]+).*?", +# greenexp/([\w./]+)', text, re.MULTILINE)
    assert {normal(name) for name, _ in named} == REQUIRED | TRAIN_EXTRA
    wrong = []
    for name, place in named:
        path = ROOT / "greenexp" / place
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        users = {distribution_of(package) for package in _third_party(files)}
        if normal(name) not in users and normal(name) != "pyarrow":
            wrong.append(f"{name}: {place}")
    assert wrong == []


def _third_party(files: list[Path]) -> set[str]:
    found = {name for path in files for name in _imports(ast.parse(path.read_text(encoding="utf-8")))}
    return {name for name in found if name not in sys.stdlib_module_names and name != "greenexp"}
