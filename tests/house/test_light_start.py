"""What must not be loaded, and what must load, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from greenexp.cli.main import COMMANDS

HEAVIEST = {"torch", "ray", "mlflow", "transformers"}
HEAVY = {*HEAVIEST, "pandas", "scipy", "pyarrow", "numpy"}
LIST_LOADED = f"import json, sys; print(json.dumps([n for n in {sorted(HEAVY)} if n in sys.modules]), file=sys.stderr)"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)


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


def test_ray_can_be_imported_beside_everything_else() -> None:
    """Some packages for reading GPUs make `import ray` fail; none of them may be among our dependencies."""
    done = python("import torch, transformers, mlflow, pynvml, ray, ray.tune; print(ray.__version__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
