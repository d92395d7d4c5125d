"""What must not be loaded, and what must load, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stand_ins import Sweep, Workers

from greenexp.cli.main import COMMANDS
from greenexp.extras import TRAIN

HEAVIEST = {"torch", "ray", "mlflow", "transformers"}
HEAVY = {*HEAVIEST, "pandas", "scipy", "pyarrow", "numpy"}
LIST_LOADED = f"import json, sys; print(json.dumps([n for n in {sorted(HEAVY)} if n in sys.modules]), file=sys.stderr)"


def python(code: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False, cwd=cwd
    )


def loaded(code: str) -> set[str]:
    done = python(f"{code}\n{LIST_LOADED}")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr))


def after(*arguments: str) -> set[str]:
    """What has been loaded when the command has ended."""
    return loaded(
        f"from greenexp.cli.main import main\ntry:\n    main({list(arguments)!r})\n"
        "except SystemExit as leaving:\n    assert not leaving.code, leaving.code"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_first_question_loads_nothing_heavy(arguments: list[str]) -> None:
    assert after(*arguments) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_loads_neither_torch_nor_ray_nor_mlflow(command: str) -> None:
    assert after(command, "--help") & HEAVIEST == set()


@pytest.mark.parametrize("room", ["schedulers", "journal.state", "spec", "records.trial", "methods", "exits", "report"])
def test_plain_rooms_load_neither_torch_nor_ray_nor_mlflow(room: str) -> None:
    assert loaded(f"import greenexp.{room}") & HEAVIEST == set()


def test_analysis_loads_none_of_its_extras() -> None:
    done = python("import sys, greenexp.analysis; print([n for n in ('opda', 'moocore') if n in sys.modules])")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


WITHOUT_TRAIN = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAIN!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Absent())
"""
"""Makes a process in which only `pip install greenexp` has been run."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scores.csv and curves.csv."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(
        {"method": ["a", "b"] * 12, "rate": np.repeat(range(6), 4), "accuracy": rng.random(24), "flops": rng.random(24)}
    )
    scores.to_csv(folder / "scores.csv", index=False)
    curves = [(run, step, 0.5 + 0.1 * run * (1 - 0.5**step)) for run in range(8) for step in range(1, 10)]
    pd.DataFrame(curves, columns=["run", "step", "score"]).to_csv(folder / "curves.csv", index=False)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "curve scores.csv --score accuracy --by method --plot curve.svg",
        "compare scores.csv --score accuracy --by method --cost flops",
        "seeds scores.csv --score accuracy --configuration rate",
        "front scores.csv --score accuracy --cost flops --by method",
        "simulate curves.csv --repeats 20",
    ],
)
def test_statistics_need_no_extra(tables: Path, command: str) -> None:
    done = python(f"{WITHOUT_TRAIN}\nfrom greenexp.cli.main import main\nmain({command.split()!r})", cwd=tables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_a_sweeps_folder_is_read_and_reported_without_an_extra(tmp_path: Path) -> None:
    conductor = Sweep(tmp_path / "sweep").open(configurations=2, scheduler={"name": "fifo"})
    Workers(conductor).play()
    conductor.close()
    conductor.journal.close()
    done = python(f"{WITHOUT_TRAIN}\nimport greenexp\nprint(greenexp.load('sweep').report()[0].name)", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "report.html"), done.stderr


@pytest.mark.parametrize("command", ["run smoke", "plan smoke", "ls methods", "curve sqlite:///absent.db", "doctor"])
def test_what_needs_the_extra_says_so(tmp_path: Path, command: str) -> None:
    done = python(f"{WITHOUT_TRAIN}\nfrom greenexp.cli.main import main\nmain({command.split()!r})", cwd=tmp_path)
    assert done.returncode == 2
    assert "greenexp[train]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_mistake_in_a_sweep_file_is_told_without_torch(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("name: x\ntask: {name: clauses}\ntrainig: {epochs: 3}\n", encoding="utf-8")
    done = python(
        f"from greenexp.cli.main import main\ntry:\n    main(['plan', {str(sweep)!r}])\n"
        f"except SystemExit as leaving:\n    assert leaving.code == 2\n{LIST_LOADED}"
    )
    assert set(json.loads(done.stderr.splitlines()[-1])) & HEAVIEST == set()
    assert "trainig" in done.stderr


def test_ray_can_be_imported_beside_everything_else() -> None:
    """Some packages for reading GPUs make `import ray` fail; none of them may be among our dependencies."""
    done = python("import torch, transformers, mlflow, pynvml, ray, ray.tune; print(ray.__version__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
