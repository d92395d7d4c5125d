"""The wheel: what it carries, and that it works without a checkout beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def python(*arguments: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), cwd=folder)
    (found,) = folder.glob("greenexp-*-py3-none-any.whl")
    return found


def test_it_carries_code_sweeps_dashboards_and_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "greenexp").rglob("*.py")}
    assert {name for name in sources if "_data" not in name} <= names
    assert {
        "greenexp/_data/sweeps/smoke.yaml",
        "greenexp/_data/dashboards/README.md",
        "greenexp/py.typed",
        "greenexp/report/page.css",
        "greenexp/report/page.js",
        "greenexp/report/page.html.j2",
    } <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert [name for name in names if name.startswith(("tests/", "docs/"))] == []


def test_it_plans_a_shipped_sweep_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    # Its dependencies are those of the environment the tests run in.
    python("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed), str(wheel), cwd=elsewhere)
    where = python("-c", "import greenexp; print(greenexp.__file__)", cwd=elsewhere, PYTHONPATH=str(installed))
    assert Path(where.strip()).is_relative_to(installed)
    planned = python("-m", "greenexp", "plan", "smoke", cwd=elsewhere, PYTHONPATH=str(installed))
    assert "task clauses" in planned
