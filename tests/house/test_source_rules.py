"""The rules of the house that a program can check: sizes, names, door signs, nothing tied to one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 50
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}
# A user's or a mount's folder, not what a test makes up below a folder of its own.
ABSOLUTE_PATH = re.compile(r"(?<![\w.~:/])/(?:home|root|Users|work|mnt|media|scratch|tmp|opt)/[\w.-]+")
PRIVATE_HOST = re.compile(r"\b[\w-]+\.(?:internal|intranet|lan|corp)\b|\w@(?:\d{1,3}\.){3}\d{1,3}")


def tracked() -> list[Path]:
    """Every file of the repository, also those git has not been told of yet; all files where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        found = [ROOT / name for name in listing.stdout.split("\0") if name]
        return sorted(path for path in found if path.is_file())
    folders = ("greenexp", "tests", "sweeps", "docs", "dashboards")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())


TRACKED = tracked()
SOURCES = [path for path in TRACKED if path.suffix == ".py"]
PACKAGE = [path for path in SOURCES if path.is_relative_to(ROOT / "greenexp")]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which may be as long as its arguments need."""
    docstring = node.body[0] if ast.get_docstring(node) is not None else None
    told = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring is not None else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - told


def test_the_tree_is_seen() -> None:
    assert ROOT / "greenexp" / "cli" / "main.py" in PACKAGE
    assert len(PACKAGE) > 100


def test_files_are_short() -> None:
    sizes = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: size for name, size in sizes.items() if size > LINES_PER_FILE} == {}


def test_functions_are_short() -> None:
    sizes = {f"{shown(path)}:{node.lineno} {node.name}": lines_of(node) for path in SOURCES for node in functions(path)}
    assert {name: size for name, size in sizes.items() if size > LINES_PER_FUNCTION} == {}


def test_nothing_is_named_for_having_no_place() -> None:
    parts = {shown(path): {*path.relative_to(ROOT).parts[:-1], path.stem} for path in SOURCES}
    assert [name for name, names in parts.items() if names & NAMELESS] == []


def test_every_file_of_the_package_says_what_it_is() -> None:
    silent = [shown(path) for path in PACKAGE if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


@pytest.mark.parametrize("room", sorted({path.parent for path in PACKAGE} - {ROOT / "greenexp"}), ids=shown)
def test_every_room_has_a_door_sign(room: Path) -> None:
    sign = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert sign
    assert len(sign) > 80


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports tests by their bare names: two of one name would hide each other."""
    names = [path.stem for path in SOURCES if path.is_relative_to(ROOT / "tests") and path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_no_name_of_the_product_looks_like_a_test() -> None:
    """pytest collects functions `test_*` and classes `Test*` wherever a test imports them."""
    found = {
        f"{shown(path)}: {node.name}"
        for path in PACKAGE
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name.lstrip("_").startswith(("test_", "Test"))
    }
    assert found == set()


def test_a_class_name_means_one_thing_in_the_whole_house() -> None:
    """Private classes, `_Name`, may share one: nobody meets two of them in one file."""
    where: dict[str, list[str]] = {}
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(f"{shown(path)}:{node.lineno}")
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_the_type_of_arrays_and_the_tolerances_have_one_home() -> None:
    """`Floats` in records/arrays.py; what statistics take for rounding in analysis/numbers/rounding.py.

    Elsewhere in analysis a number like 1e-9 is how far an algorithm goes on (`xtol`), or what it leaves out.
    """
    alias = re.compile(r"^Floats = ", re.MULTILINE)
    tolerance = re.compile(r"^_?\w*ROUNDING\b.*= \d|[-+] ?1e-(?:9|1[0-2])\b(?! \*)", re.MULTILINE)
    found = []
    for path in PACKAGE:
        text = path.read_text(encoding="utf-8")
        room = path.relative_to(ROOT / "greenexp").parts[0]
        found += [shown(path)] * (len(alias.findall(text)) if room != "cli" else 0)
        if room == "analysis" and path.name != "rounding.py":
            found += [f"{shown(path)}: {match}" for match in tolerance.findall(text)]
    assert found == ["greenexp/records/arrays.py"]


@pytest.mark.parametrize("pattern", [ABSOLUTE_PATH, PRIVATE_HOST], ids=["absolute path", "host name"])
def test_nothing_names_one_machine(pattern: re.Pattern[str]) -> None:
    found = []
    for path in TRACKED:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{shown(path)}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), start=1)
            for match in pattern.finditer(line)
        ]
    assert found == []


@pytest.mark.parametrize("path", ["home/me/x", "opt/data", "root/.cache", "tmp/x/bin"])
def test_an_absolute_path_would_be_seen(path: str) -> None:
    assert all(ABSOLUTE_PATH.search(text) for text in (f"/{path}", f"cd /{path}", f'open("/{path}")', f"=/{path}"))


@pytest.mark.parametrize("text", ["~/srv/x", "a/tmp/b", "https://h.org/opt/x", "../srv/x", "file:///tmp/x"])
def test_other_paths_would_not(text: str) -> None:
    assert not ABSOLUTE_PATH.search(text)
