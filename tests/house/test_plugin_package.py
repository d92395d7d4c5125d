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
Commands = dict[str, tuple[int, str, str]]
BLOCK = re.compile(r"^```(?:python|toml|yaml)\n# ([\w./-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = """
import contextlib, io, json

from greenexp.cli.main import main

asked = ["ls methods --json", "ls tasks", "plan letters.yaml --json", "plan wrong.yaml", "plan half_way.yaml --json"]
found = {}
for command in asked:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main(command.split())
        except SystemExit as leaving:
            found[command] = (leaving.code or 0, out.getvalue(), err.getvalue())
print(json.dumps(found))
"""
TRAIN = """
from pathlib import Path

from greenexp.plan import make_plan, prepare_data
from greenexp.spec import load_sweep
from greenexp.training import TrialRun

for sweep in ("letters.yaml", "own.yaml"):
    trial = make_plan(load_sweep(Path(sweep))).trials[0]
    with TrialRun(trial, prepare_data(trial.settings)) as run:
        print(sweep, *(f"{record.epoch}:{record.train_loss:.6f}" for record in run))
"""

SEARCH = """
from greenexp.records.search_space import LogUniform
from greenexp.searches import SEARCHES, NoProposal, Observation

space = {"training.learning_rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1)}
search = SEARCHES.get("half_way")(proposals=4, first=2).start(space, "max")
history = []
for score in (0.7, 0.9):
    history.append(Observation(len(history), search.ask(history).values, score=score))
assert search.ask(history) is NoProposal.WAIT
for one in history:
    search.tell(one)
(best,) = history[1].values.values()
for _ in range(2):
    (value,) = search.ask(history).values.values()
    assert best**0.5 * 1e-4**0.5 <= value <= best**0.5 * 1e-1**0.5
    history.append(Observation(len(history), {"training.learning_rate": value}))
assert search.ask(history) is NoProposal.DONE
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


def python(package: Path, script: str) -> str:
    """What a Python that has the package installed prints."""
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=package,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def commands(package: Path) -> Commands:
    """Command -> (exit code, stdout, stderr), all of one process."""
    wrong = "name: wrong\ntask: {name: letters}\nmethod: {name: geometric, ratio: 2}\n"
    (package / "wrong.yaml").write_text(wrong, encoding="utf-8")
    return {command: tuple(found) for command, found in json.loads(python(package, COMMANDS)).items()}


def test_ls_shows_the_card_and_where_it_comes_from(commands: Commands) -> None:
    rows = json.loads(commands["ls methods --json"][1])
    assert rows["geometric"]["from"] == "spelling"
    assert rows["geometric"]["fields"] == {"ratio": 0.5}
    assert rows["branchynet"]["from"] == "greenexp"
    assert "r^(M - i)" in rows["geometric"]["card"]
    assert "letters" in commands["ls tasks"][1]


def test_plan_fills_in_its_fields_and_prices_it(commands: Commands) -> None:
    code, out, err = commands["plan letters.yaml --json"]
    assert code == 0, err
    trials = json.loads(out)["trials"]
    assert len(trials) == 3
    assert all(0.3 <= trial["searched"]["method.ratio"] <= 1.0 for trial in trials)


def test_a_wrong_field_is_shown_with_its_place(commands: Commands) -> None:
    code, _, err = commands["plan wrong.yaml"]
    assert code == 2
    assert "wrong.yaml:3:34: method.ratio: " in err


@pytest.mark.slow
def test_its_trials_train(package: Path) -> None:
    lines = [line.split() for line in python(package, TRAIN).splitlines()]
    assert [name for name, *_ in lines] == ["letters.yaml", "own.yaml"]
    for _, first, second in lines:
        assert first.startswith("1:")
        assert second.startswith("2:")
        assert float(second[2:]) < float(first[2:]), "a method's own step should train"


def test_a_sweep_with_its_search_has_an_open_plan_and_a_price(commands: Commands) -> None:
    code, out, err = commands["plan half_way.yaml --json"]
    assert code == 0, err
    assert json.loads(out)["price"]["trials"]["most"] == 6


def test_its_search_goes_half_way_to_the_best(package: Path) -> None:
    python(package, SEARCH)


@pytest.mark.cluster
@pytest.mark.slow
def test_the_program_that_registers_the_search_runs_a_sweep(package: Path) -> None:
    printed = python(package, (package / "register.py").read_text(encoding="utf-8"))
    assert "finished 5 configurations" in printed
