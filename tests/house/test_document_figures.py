"""The figures of the documents: each file is what its script draws, is shown on a page, and has a text alternative."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "figures"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
# The figures of docs/python.md are drawn by its own Python, which tests/api/test_python_document.py runs; the
# picture of a terminal is taken from a sweep.
NAMES = sorted(path.stem for path in FIGURES.glob("*.svg") if not path.stem.startswith(("python-", "terminal")))


@pytest.fixture(scope="module")
def drawn() -> Iterator[Callable[[str], str]]:
    """Name of a figure -> the text of its file, as the script draws it."""
    before = set(sys.modules)
    sys.path.insert(0, str(FIGURES))
    yield import_module("render").drawn
    sys.path.remove(str(FIGURES))
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(FIGURES)):
            del sys.modules[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_current(name: str, drawn: Callable[[str], str]) -> None:
    file = FIGURES / f"{name}.svg"
    assert drawn(name) == file.read_text(encoding="utf-8"), "run: python docs/figures/render.py"


def test_every_figure_of_the_script_has_its_file(drawn: Callable[[str], str]) -> None:
    assert sorted(import_module("render").FIGURES) == NAMES


def shown() -> Iterator[tuple[Path, str, str]]:
    """Page, text alternative and file of every image."""
    for page in PAGES:
        for alt, target in IMAGE.findall(page.read_text(encoding="utf-8")):
            yield page, alt, target


def test_every_figure_is_on_a_page() -> None:
    targets = {(page.parent / target).resolve() for page, _, target in shown()}
    assert {path for path in FIGURES.iterdir() if path.suffix in {".svg", ".png"}} <= targets


def test_an_image_has_a_text_alternative() -> None:
    assert [target for _, alt, target in shown() if len(alt.split()) < 5] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "results").glob("*.md")), ids=lambda path: path.name)
def test_a_page_of_results_has_a_figure(page: Path) -> None:
    assert IMAGE.search(page.read_text(encoding="utf-8"))


def test_the_text_alternative_on_a_page_is_that_of_the_figure(drawn: Callable[[str], str]) -> None:
    figures = import_module("render").FIGURES
    on_pages = [(Path(target).stem, alt) for _, alt, target in shown() if Path(target).stem in NAMES]
    assert [(name, alt) for name, alt in on_pages if figures[name]().alt != alt] == []
