"""The package of docs/extending.md, file by file from the page: found, planned and trained through entry points."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?:python|toml|yaml)\n# ([\w./-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRAIN = """
import sys
from pathlib import Path

from greenexp.plan import make_plan, prepare_data
from greenexp.spec import load_sweep
from greenexp.training import TrialRun

trial = make_plan(load_sweep(Path(sys.argv[1]))).trials[0]
with TrialRun(trial, prepare_data(trial.settings)) as run:
    print(*(f"{record.epoch}:{record.train_loss:.6f}" for record in run))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install --target` would leave it, with the page's files and their entry points."""
    folder = tmp_path_factory.mktemp("installed")
    files = dict(BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")))
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "spelling" / "__init__.py").touch()
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = folder / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = []
    for group, names in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in names.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python that has the package installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=package,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(package), str(ROOT))), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def python(package: Path, *arguments: str) -> str:
    done = run(package, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ls_shows_the_card_and_where_it_comes_from(package: Path) -> None:
    rows = json.loads(python(package, "-m", "greenexp", "ls", "methods", "--json"))
    assert rows["geometric"]["from"] == "spelling"
    assert rows["geometric"]["fields"] == {"ratio": 0.5}
    assert rows["branchynet"]["from"] == "greenexp"
    assert "r^(M - i)" in rows["geometric"]["card"]
    assert "letters" in python(package, "-m", "greenexp", "ls", "tasks")


def test_plan_fills_in_its_fields_and_prices_it(package: Path) -> None:
    plan = json.loads(python(package, "-m", "greenexp", "plan", "letters.yaml", "--json"))
    trials = plan["trials"]
    assert len(trials) == 3
    assert all(0.3 <= trial["searched"]["method.ratio"] <= 1.0 for trial in trials)


def test_a_wrong_field_is_shown_with_its_place(package: Path) -> None:
    wrong = package / "wrong.yaml"
    wrong.write_text("name: wrong\ntask: {name: letters}\nmethod: {name: geometric, ratio: 2}\n", encoding="utf-8")
    done = run(package, "-m", "greenexp", "plan", wrong.name)
    assert done.returncode == 2
    assert "wrong.yaml:3:34: method.ratio: " in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("sweep", ["letters.yaml", "own.yaml"])
def test_its_trials_train(package: Path, sweep: str) -> None:
    first, second = python(package, "-c", TRAIN, sweep).split()
    assert first.startswith("1:")
    assert second.startswith("2:")
    assert float(second[2:]) < float(first[2:]), "a method's own step should train"
