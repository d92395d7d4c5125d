"""The import contracts of pyproject.toml: kept by the tree, and each one broken by an import it is there to stop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
NAMES = {contract["name"]: contract["id"] for contract in SETTINGS["contracts"]}
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["contracts"]}
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def verdicts(folder: Path) -> dict[str, str]:
    """Contract id -> KEPT or BROKEN for the `greenexp` package in `folder`, judged by the real settings."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = {NAMES[match[1]]: match[2] for match in re.finditer(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)}
    assert set(found) == set(CONTRACTS), done.stdout + done.stderr
    assert (done.returncode == 0) == ("BROKEN" not in found.values())
    return found


def test_every_contract_is_kept() -> None:
    assert set(verdicts(ROOT).values()) == {"KEPT"}


@dataclass(frozen=True)
class Violation:
    """Text to append (path below greenexp/ -> text), and the contracts that must break: others may, through others."""

    files: dict[str, str]
    broken: set[str]


VIOLATIONS = {
    "up a layer": Violation({"records/trial.py": "import greenexp.spec"}, {"layers", "acyclic"}),
    "between siblings": Violation({"tracking/names.py": "import greenexp.tuning.replay"}, {"layers"}),
    "a room without a place": Violation({"helpers/__init__.py": '"""No place."""'}, {"layers"}),
    "a cycle within a room": Violation(
        {"analysis/here.py": "import greenexp.analysis.there", "analysis/there.py": "import greenexp.analysis.here"},
        {"acyclic"},
    ),
    "Ray in a plug-in": Violation({"meters/memory.py": "import ray"}, {"ray", "trials"}),
    "Ray in tracking": Violation({"tracking/names.py": "from ray import tune"}, {"ray"}),
    "MLflow in tuning": Violation({"tuning/run.py": "import mlflow"}, {"mlflow"}),
    "MLflow inside a function": Violation({"assets/cache.py": "def _late() -> None:\n    import mlflow\n"}, {"mlflow"}),
    "the command line in api": Violation({"api/statistics.py": "import greenexp.cli.main"}, {"layers"}),
    "Ray in api": Violation({"api/statistics.py": "import ray"}, {"cli"}),
    "printing in api": Violation({"api/statistics.py": "import click"}, {"printing"}),
    "torch in sources": Violation({"sources/checkpoints.py": "import torch"}, {"sources"}),
    "Ray in sources": Violation({"sources/tables.py": "def _late() -> None:\n    import ray\n"}, {"ray", "sources"}),
    "MLflow in sources": Violation({"sources/runs.py": "import mlflow"}, {"sources-mlflow"}),
    "Ray in the command line": Violation({"cli/run.py": "import ray"}, {"cli"}),
    "MLflow in the command line": Violation({"cli/sync.py": "import mlflow"}, {"cli"}),
    "torch in the dashboard": Violation({"dashboard/board.py": "import torch"}, {"dashboard"}),
    "torch in analysis": Violation({"analysis/curves/evp.py": "import torch"}, {"pure"}),
    "torch behind the report": Violation({"units.py": "import torch"}, {"pure"}),
    "torch in tracking": Violation({"tracking/content.py": "import torch"}, {"tracking"}),
    "Ray in training": Violation({"training/run.py": "import ray"}, {"ray", "trials"}),
    "MLflow in plan": Violation({"plan/price.py": "import mlflow"}, {"mlflow", "trials"}),
    "a compression sees an encoder": Violation(
        {"compression/int8.py": "import greenexp.backbones.bert"}, {"layers", "plugins"}
    ),
    "one plug-in sees another": Violation(
        {"tasks/clauses.py": "import greenexp.objectives.supervised"}, {"layers", "plugins"}
    ),
    "torch in a search": Violation({"searches/random.py": "import torch"}, {"replay"}),
    "torch in a scheduler": Violation({"schedulers/asha.py": "import torch"}, {"replay"}),
    "transformers in the journal": Violation({"journal/file.py": "import transformers"}, {"replay"}),
    "torch in replay": Violation({"replay/record.py": "import torch"}, {"records"}),
    "torch in records": Violation({"records/epoch.py": "import torch"}, {"records"}),
}


@pytest.mark.parametrize("case", VIOLATIONS)
def test_a_violation_breaks_its_contracts(case: str, tmp_path: Path) -> None:
    violation = VIOLATIONS[case]
    shutil.copytree(ROOT / "greenexp", tmp_path / "greenexp", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in violation.files.items():
        file = tmp_path / "greenexp" / name
        file.parent.mkdir(exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"\n{text}\n")
    broken = {contract for contract, verdict in verdicts(tmp_path).items() if verdict == "BROKEN"}
    assert violation.broken <= broken


def test_every_contract_is_shown_to_break() -> None:
    assert set().union(*(violation.broken for violation in VIOLATIONS.values())) == set(CONTRACTS)


@pytest.mark.parametrize(
    ("contract", "door", "callers"),
    [("ray", "tuning", {"cli", "api", "dashboard"}), ("mlflow", "tracking", {"cli", "api", "sources", "dashboard"})],
)
def test_a_door_contract_watches_every_other_room(contract: str, door: str, callers: set[str]) -> None:
    """Rooms that call a door's room have contracts of their own, on their direct imports."""
    rooms = {path.stem for path in (ROOT / "greenexp").iterdir() if path.suffix == ".py" or _is_room(path)}
    watched = {name.removeprefix("greenexp.") for name in CONTRACTS[contract]["source_modules"]}
    assert watched == rooms - {door, "__init__", "__main__"} - callers


def test_the_documents_show_the_same_layers() -> None:
    text = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", text.partition("## Rooms")[2].partition("## The journal")[0], re.MULTILINE)
    layers = [{name for name in layer.split(" | ") if name[0] != "("} for layer in CONTRACTS["layers"]["layers"]]
    assert [set(re.findall(r"\w+", row)) for row in rows] == [layer for layer in layers if layer]


def _is_room(path: Path) -> bool:
    return (path / "__init__.py").is_file()
