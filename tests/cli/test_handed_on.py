"""`checklist`, `card` and `export --format hub, boamps` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_served_models import KEPT, write_sweep
from told import tells

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("handed-on") / "tiny")


def test_a_checklist_is_printed_or_written(command: Command, sweep: Path, tmp_path: Path) -> None:
    code, out, _ = command("checklist", sweep, "--list", "arr", "--list", "neurips")
    assert code == 0
    assert "| C2 |" in out
    assert "| 8 |" in out
    assert "| results 1 |" not in out
    code, out, _ = command("checklist", sweep, "--format", "tex", "--out", tmp_path / "list.tex")
    assert (code, out.strip()) == (0, str(tmp_path / "list.tex"))
    assert "\\item[{B6}]" in (tmp_path / "list.tex").read_text()
    code, _, err = command("checklist", sweep, "--out", tmp_path / "absent" / "list.md")
    assert code == 2
    assert tells(err, "cannot write")


def test_a_card_is_printed_or_written(command: Command, sweep: Path, tmp_path: Path) -> None:
    code, out, _ = command("card", sweep)
    assert code == 0
    assert out.startswith("---\n")
    assert KEPT[0] in out
    assert command("card", sweep, "--trial", KEPT[1], "--out", tmp_path / "README.md")[0] == 0
    assert KEPT[1] in (tmp_path / "README.md").read_text()
    code, _, err = command("card", sweep, "--trial", "c000-i0-o0")
    assert code == 2
    assert tells(err, "no model of c000-i0-o0")


def test_a_model_is_exported_and_predicts(command: Command, sweep: Path, tmp_path: Path) -> None:
    code, out, _ = command("export", sweep, "--format", "hub", "--out", tmp_path / "handed-on")
    assert (code, out.strip()) == (0, str(tmp_path / "handed-on"))
    lines = tmp_path / "lines.jsonl"
    lines.write_text('"a good film"\n')
    answers = [
        command("predict", place, "--policy", "static:2", "--input", lines)[1]
        for place in (sweep / "models" / KEPT[0], tmp_path / "handed-on")
    ]
    assert answers[0] == answers[1] != ""


def test_an_energy_report_without_energy_is_refused_in_one_line(command: Command, sweep: Path) -> None:
    code, out, err = command("export", sweep, "--format", "boamps")
    assert (code, out) == (2, "")
    assert tells(err, "error: … not measured")
    assert not (sweep / "boamps.json").exists()


@pytest.mark.parametrize("options", [("--trial", "x"), ("--format", "hub", "--sweep", "x")])
def test_options_that_do_not_fit_are_refused(command: Command, sweep: Path, options: tuple[str, ...]) -> None:
    assert command("export", sweep, *options)[0] == 2
