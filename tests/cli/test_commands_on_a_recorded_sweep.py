"""Commands that read: status, logs, export, report; on a journal written without Ray."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from stand_ins import Sweep, Workers

from greenexp.records.tables import SCHEMA

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    conductor = Sweep(folder).open(configurations=9)
    Workers(conductor, fail={"c002-i1-o0": 2}).play()
    conductor.close()
    conductor.journal.close()
    return folder


@pytest.fixture
def sweep(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "out" / "stand-in"))


def test_status_finds_the_only_sweep_and_tells_what_failed(command: Command, sweep: Path) -> None:
    code, out, _ = command("status", "--json")
    status = json.loads(out)
    assert code == 1, "a failed trial is an exit code of 1"
    assert status["name"] == "stand-in"
    assert status["state"] == "finished"
    assert status["failures"] == {"c002-i1-o0": "loss became nan at optimiser step 7"}
    assert status["used"]["energy_j"] is None, "what was not measured is null, never 0"
    assert "not measured" in command("status", sweep)[1]


def test_the_newest_of_several_sweeps_is_meant_and_named(command: Command, sweep: Path) -> None:
    other = Path(shutil.copytree(sweep, sweep.with_name("other")))
    for newest, older in ((sweep, other), (other, sweep)):
        os.utime(newest / "journal.jsonl", (2_000_000_000, 2_000_000_000))
        os.utime(older / "journal.jsonl", (1_000_000_000, 1_000_000_000))
        code, out, err = command("status", "--json")
        assert (code, json.loads(out)["folder"]) == (1, str(Path("out") / newest.name))
        assert newest.name in err
        assert older.name in err
    assert command("status", sweep)[2] == "", "a folder that is named is not remarked upon"


def test_status_of_a_sweep_that_has_not_begun(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    (folder / "journal.jsonl").touch()
    code, out, _ = command("status", folder)
    assert code == 0
    assert out.startswith("fresh  not begun")
    assert "None" not in out
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()[2:]}
    assert {axis: lines[axis] for axis in ("trials", "epochs", "elapsed")} == {
        "trials": "0", "epochs": "0", "elapsed": "0.00 s"
    }  # fmt: skip
    costs = {axis: text for axis, text in lines.items() if axis not in {"trials", "epochs", "elapsed"}}
    assert set(costs.values()) == {"not measured"}
    assert {"energy_j", "carbon_g", "money", "train_flops"} <= set(costs)
    used = json.loads(command("status", folder, "--json")[1])["used"]
    assert {used[axis] for axis in costs} == {None}


def test_status_of_nothing_and_of_a_folder_of_sweeps(command: Command, sweep: Path) -> None:
    shutil.copytree(sweep, sweep.with_name("other"))
    for parent in (sweep.parent, sweep.parent.parent):
        code, _, err = command("status", parent)
        assert code == 2
        assert str(sweep) in err
        assert str(sweep.with_name("other")) in err
    code, _, err = command("status", "nowhere")
    assert code == 2
    assert "nowhere" in err


@pytest.mark.parametrize("given", [["c002-i1-o1"], ["c000-i0-o0", "--out", "out"], ["c000-i0-o0", "--out", "nowhere"]])
def test_logs_that_are_not_found_say_how_to_name_the_sweep(command: Command, sweep: Path, given: list[str]) -> None:
    code, _, err = command("logs", *given)
    assert code == 2
    assert "--out" in err


@pytest.mark.parametrize("given", [["--out", "afile"], ["--out", "nowhere", "--resume"]], ids=["a file", "nothing"])
def test_a_results_folder_that_cannot_be_is_refused_before_anything_is_planned(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("the sweep was priced")

    (tmp_path / "afile").touch()
    monkeypatch.setattr("greenexp.api.running.priced_plan", unwanted)
    code, out, err = command("run", "smoke", *given)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_logs_of_an_unknown_trial_names_the_nearest(command: Command, sweep: Path) -> None:
    code, _, err = command("logs", "c002-i1-o1")
    assert code == 2
    assert "'c002-i1-o0'" in err or "'c002-i0-o0'" in err
    (sweep / "logs").mkdir()
    (sweep / "logs" / "c002-i1-o0.log").write_text("attempt 1 begins\n", encoding="utf-8")
    assert command("logs", "c002-i1-o0")[1] == "attempt 1 begins\n"


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_export_writes_every_table(command: Command, sweep: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "tables"
    code, out, _ = command("export", sweep, "--out", target, "--format", kind)
    assert code == 0
    assert {Path(line).stem for line in out.splitlines()} == set(SCHEMA)
    read = pd.read_parquet if kind == "parquet" else pd.read_csv
    trials = read(target / f"trials.{kind}")
    assert len(trials) == 18
    assert trials["energy_j"].isna().all()
    assert "params.training.learning_rate" in trials


@pytest.mark.parametrize("first", ["export", "report"])
@pytest.mark.parametrize("out", [None, "shared"])
def test_export_and_report_write_no_file_of_each_other(
    command: Command, sweep: Path, first: str, out: str | None
) -> None:
    written: dict[str, dict[Path, bytes]] = {}
    second = {"export": "report", "report": "export"}[first]
    for name in (first, second):
        code, printed, _ = command(name, sweep, "--format", "csv", *(["--out", out] if out else []))
        assert code == 0
        written[name] = {Path(line).resolve(): Path(line).read_bytes() for line in printed.splitlines()}
    assert not set(written["export"]) & set(written["report"])
    for path, content in written[first].items():
        assert path.read_bytes() == content, f"{second} wrote {path}"
    same = {path.stem for path in written["export"]} & {path.stem for path in written["report"]}
    assert same, "no table is in both, so the test shows nothing"
    assert not any("-" in path.stem for paths in written.values() for path in paths), "one way to join words"


def test_report_in_every_format(command: Command, sweep: Path, tmp_path: Path) -> None:
    code, out, _ = command("report", sweep, "--format", "html,md,tex,csv", "--out", tmp_path / "report")
    assert code == 0
    suffixes = {Path(line).suffix for line in out.splitlines()}
    assert {".html", ".md", ".tex", ".csv"} <= suffixes
    assert "loss became nan" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    code, _, err = command("report", sweep, "--format", "docx")
    assert code == 2
    assert "html,md,tex,csv" in err


def test_a_damaged_journal_is_named_with_its_line(command: Command, sweep: Path) -> None:
    path = sweep / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:20], b"{oops\n", *lines[21:]]))
    code, _, err = command("status", sweep)
    assert code == 2
    assert "journal.jsonl:21" in err


def test_ls_lists_and_explains(command: Command) -> None:
    assert "asha" in command("ls", "schedulers")[1]
    names = {line.split()[0] for line in command("ls", "axes")[1].splitlines()}
    assert names == {
        "trials", "epochs", "wall_s", "gpu_s", "cpu_s", "train_flops", "energy_j", "carbon_g", "money",
    }  # fmt: skip
    assert "reduction_factor" in command("ls", "schedulers", "asha")[1]
    code, _, err = command("ls", "schedulers", "ashar")
    assert code == 2
    assert "'asha'" in err


def test_doctor_says_what_cannot_be_measured_and_why(command: Command) -> None:
    code, out, _ = command("doctor", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["measured"]["wall_s"]["measured"] is True
    assert all(row["how"] for row in facts["measured"].values())
