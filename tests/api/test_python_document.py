"""`docs/python.md` is one program that runs, and its figure is the one that the program draws."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from greenexp.journal.tables import read_tables as from_journal

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "python.md"
NOTEBOOK = ROOT / "docs" / "notebooks" / "quickstart.ipynb"
NEEDS_RAY = re.compile(r"^## A sweep, planned and run$", re.MULTILINE)


def blocks(text: str) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def execute(program: str, folder: Path) -> None:
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, path], cwd=folder, capture_output=True, text=True, timeout=600, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr


def test_the_statistics_run_and_draw_the_figure_that_is_shown(tmp_path: Path) -> None:
    execute(blocks(NEEDS_RAY.split(DOCUMENT.read_text(encoding="utf-8"))[0]), tmp_path)
    drawn, shown = tmp_path / "curve.svg", ROOT / "docs" / "figures" / "python-curve.svg"
    assert words(drawn) == words(shown)


def words(drawing: Path) -> list[str]:
    """Texts of a drawing: positions differ in the last digit with the machine's fonts."""
    return re.findall(r">([^<>]+)</text>", drawing.read_text(encoding="utf-8"))


@pytest.mark.cluster
@pytest.mark.slow
def test_all_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    execute(blocks(DOCUMENT.read_text(encoding="utf-8")), tmp_path)
    assert (tmp_path / "out" / "two-rates" / "paper" / "report.html").is_file()
    assert (tmp_path / "out" / "geometric" / "journal.jsonl").is_file()


@pytest.mark.cluster
@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert sum(smaller(cell) for cell in notebook.cells) == 1, "one cell runs the sweep"
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("<svg" in output.get("data", {}).get("text/html", "") for output in shown)
    assert from_journal(tmp_path / "out" / "smoke").history.complete


def smaller(cell: Any) -> bool:
    """Let the cell that runs the sweep train less: README's commands run it as it is."""
    before = cell.source
    cell.source = before.replace('run("smoke",', 'run("smoke", set={"search.samples": 4, "training.epochs": 4},')
    return bool(cell.source != before)
