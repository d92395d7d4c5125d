"""The documents against the program: commands exist, cheap ones print what is shown, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from greenexp.assets import shipped_sweeps
from greenexp.cli.main import COMMANDS, cli
from greenexp.plan import make_plan
from greenexp.spec import load_sweep

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "dashboards").rglob("*.md")],
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
# Programs a reader has, or gets with greenexp.
PROGRAMS = {"greenexp", "make", "pip", "git", "cd", "mlflow", "curl", "export", "ray", "sbatch", "prometheus"}
TESTED_ELSEWHERE = {"sweep-file.md", "extending.md"}
LEFT_OUT = "..."


@dataclass(frozen=True)
class Shown:
    """A command in a document and the output printed below it."""

    document: str
    words: tuple[str, ...]
    output: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {' '.join(self.words)}"


def fences(language: str) -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for match in FENCE.finditer(document.read_text(encoding="utf-8")):
            if match[1] == language:
                yield document, match[2]


def commands() -> Iterator[Shown]:
    for document, text in fences("console"):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, *output = part.rstrip().splitlines()
            yield Shown(document.name, tuple(shlex.split(line, comments=True)), tuple(output))


SHOWN = list(commands())
OURS = [shown for shown in SHOWN if shown.words[0] == "greenexp"]
# What only reads, and reads nothing that a reader would first have to make.
CHEAP = [
    shown
    for shown in OURS
    if shown.document not in TESTED_ELSEWHERE
    and (
        shown.words[1] in {"--help", "--version", "ls", "doctor"}
        or (shown.words[1] == "plan" and set(shown.words[2:3]) <= {*shipped_sweeps(), "--schema"})
    )
]


def test_every_command_is_of_a_known_program() -> None:
    assert {shown.words[0] for shown in SHOWN} <= PROGRAMS
    assert len(OURS) > 10


@pytest.mark.parametrize("shown", OURS, ids=str)
def test_a_command_can_be_parsed(shown: Shown) -> None:
    arguments = list(shown.words[1:])
    group = cli.make_context("greenexp", arguments.copy())
    name, command, rest = cli.resolve_command(group, arguments)
    assert command is not None
    command.make_context(name, rest, parent=group)


@pytest.mark.parametrize("shown", [shown for shown in SHOWN if shown.words[0] == "make"], ids=str)
def test_a_make_target_exists(shown: Shown) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in shown.words[1:]:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("shown", CHEAP, ids=str)
def test_a_cheap_command_prints_what_is_shown(shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, shown.words[1:], prog_name="greenexp", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    printed = [line.rstrip() for line in done.output.splitlines()]
    missing = [line for line in shown.output if line.strip() != LEFT_OUT and line.rstrip() not in printed]
    assert missing == []


def test_something_cheap_is_shown_with_its_output() -> None:
    assert any(shown.output for shown in CHEAP)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_explained(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"greenexp {name}" in readme
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    listed = [option for option in options if option.metavar or isinstance(option.type, click.Choice)]
    assert [option.name for option in options if not option.help and option not in listed] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize(
    ("document", "text"),
    [(path, text) for path, text in fences("yaml") if path.name not in TESTED_ELSEWHERE],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_sweep_file_in_a_document_plans(document: Path, text: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text, encoding="utf-8")
    assert make_plan(load_sweep(file)).trials


def test_decisions_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [name[:5] for name in names] == [f"{number:04d}-" for number in range(1, len(names) + 1)]
    for name in names:
        text = (ROOT / "docs" / "decisions" / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]


def test_the_rooms_of_the_documents_are_the_layers_of_the_contracts() -> None:
    """One row per layer, in the same order; layers in brackets are not there yet."""
    concepts = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    section = concepts.split("\n## Rooms\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in settings["contracts"] if contract["id"] == "layers")
    expected = [re.findall(r"\w+", re.sub(r"\(\w+\)", "", layer)) for layer in layers]
    assert [re.findall(r"`(\w+)`", row) for row in rows] == expected
