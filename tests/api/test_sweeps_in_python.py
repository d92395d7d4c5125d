"""Sweeps made, planned and opened in Python: the same checks and messages as of a file, and what a `Sweep` tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from stand_ins import EPOCHS, Workers
from stand_ins import Sweep as Sessions

import greenexp
from greenexp.errors import InputError, SweepFileError, UnknownNameError

SPEC: dict[str, Any] = {
    "name": "in-python",
    "task": {"name": "clauses", "train": 60, "dev": 20, "test": 20},
    "backbone": {"name": "bert", "layers": 2, "hidden": 16, "heads": 2},
    "space": {"training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-2}},
    "search": {"name": "random", "samples": 3},
}


def fingerprint(sweep: Any) -> str:
    return greenexp.plan(sweep).fingerprint


def test_a_path_a_text_a_mapping_and_a_spec_are_one_plan(tmp_path: Path) -> None:
    path = tmp_path / "in-python.yaml"
    path.write_text(yaml.safe_dump(SPEC), encoding="utf-8")
    made = {fingerprint(source) for source in (path, str(path), SPEC, greenexp.SweepSpec(**SPEC))}
    assert len(made) == 1
    assert made != {fingerprint({**SPEC, "search": {"name": "random", "samples": 4}})}


def test_changes_are_a_mapping_or_as_on_the_command_line() -> None:
    as_mapping = greenexp.plan(SPEC, set={"search.samples": 2, "method": {"name": "branchynet", "weights": "linear"}})
    as_text = greenexp.plan(SPEC, set=("search.samples=2", "method={name: branchynet, weights: linear}"))
    assert as_mapping.fingerprint == as_text.fingerprint
    assert as_mapping.price is not None
    assert as_mapping.price.bounds["trials"].most == 2


WRONG: list[Mapping[str, Any]] = [
    {"training": {"epochs": 0}},
    {"training": {"epochs": "many"}},
    {"trainig": {"epochs": 3}},
    {"task": {"name": "clause"}},
    {"method": {"name": "branchynet", "weights": "quadratic"}},
    {"name": "no spaces"},
    {"space": {"training.learning_rat": {"dist": "loguniform", "low": 1e-4, "high": 1e-2}}},
    {"space": {"training.learning_rate": {"dist": "loguniform", "low": 1.0, "high": 1e-2}}},
    {"scheduler": {"name": "asha", "reduction_factor": 1}},
    {"training": {"epochs": -1, "batch_size": 0}, "seeds": {"initialisation": 0}},
]


@pytest.mark.parametrize("change", WRONG, ids="-".join)
def test_what_is_wrong_with_a_sweep_is_said_as_of_its_file(tmp_path: Path, change: Mapping[str, Any]) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({**SPEC, **change}), encoding="utf-8")
    told = []
    for source in (path, {**SPEC, **change}):
        with pytest.raises(SweepFileError) as refused:
            greenexp.plan(source)
        told.append({(problem.path, problem.message) for problem in refused.value.problems})
    assert told[0] == told[1]


def test_a_spec_made_in_python_is_checked_where_it_is_made() -> None:
    with pytest.raises(SweepFileError) as refused:
        greenexp.SweepSpec(**{**SPEC, "training": {"epochs": 0, "batch_size": 0}})
    assert {problem.path for problem in refused.value.problems} == {"training.epochs", "training.batch_size"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded sweep of three configurations and two seeds, of which one trial failed; nothing was tested."""
    made = tmp_path_factory.mktemp("recorded")
    conductor = Sessions(made).open(configurations=3, scheduler={"name": "fifo"})
    Workers(conductor, fail={"c002-i1-o0": EPOCHS}).play()
    conductor.close()
    conductor.journal.close()
    return made


def test_what_a_sweep_tells(folder: Path) -> None:
    sweep = greenexp.load(folder)
    assert sweep.folder == folder
    assert sweep.status.trials == {"finished": 5, "failed": 1}
    assert sweep.best["configuration"] == "c001"
    assert sweep.configurations["configuration"].tolist() == ["c001", "c000", "c002"]
    frame = sweep.frame()
    assert frame["trial"].tolist() == sweep.tables.trials["trial"].tolist()
    assert "training.learning_rate" in frame
    assert frame["test_score"].isna().all()


def test_a_sweep_goes_where_scores_go(folder: Path) -> None:
    sweep = greenexp.load(folder)
    for asked in (greenexp.curve, greenexp.compare):
        by_sweep, by_folder = asked(sweep), asked(str(folder))
        assert by_sweep.verdict == by_folder.verdict
        assert by_sweep.refusal == by_folder.refusal
        for name, table in by_folder.tables.items():
            pd.testing.assert_frame_equal(by_sweep[name], table)


def test_a_sweep_writes_its_tables_and_its_report(folder: Path, tmp_path: Path) -> None:
    sweep = greenexp.load(folder)
    assert {"report.html", "report.md"} <= {path.name for path in sweep.report(["md", "html"], out=tmp_path)}
    written = list(sweep.export("csv", out=tmp_path / "tables"))
    assert {path.stem for path in written} == set(sweep.tables.frames)
    trials = pd.read_csv(tmp_path / "tables" / "trials.csv")
    assert trials["trial"].tolist() == sweep.tables.trials["trial"].tolist()


def test_what_a_sweep_does_not_have_is_refused(folder: Path, tmp_path: Path) -> None:
    sweep = greenexp.load(folder)
    with pytest.raises(UnknownNameError):
        sweep.log("c009-i0-o0")
    with pytest.raises(UnknownNameError):
        sweep.report("docx", out=tmp_path)
    with pytest.raises(UnknownNameError):
        list(sweep.export("xml", out=tmp_path))
    with pytest.raises(InputError):
        greenexp.load(tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(InputError):
        list(sweep.export("csv", out=blocked))


def test_a_sweep_in_progress_is_read_again_when_asked(tmp_path: Path) -> None:
    conductor = Sessions(tmp_path).open(configurations=2, scheduler={"name": "fifo"})
    workers = Workers(conductor)
    workers.play(3)
    sweep = greenexp.load(tmp_path)
    before = len(sweep.tables.epochs)
    workers.play(2)
    assert len(sweep.tables.epochs) == before
    assert len(sweep.refresh().tables.epochs) == before + 2
    conductor.close()
    conductor.journal.close()


def test_what_a_notebook_shows_is_escaped(folder: Path) -> None:
    sweep = greenexp.load(folder)
    shown = [sweep._repr_html_(), *(section._repr_html_() for section in sweep.sections())]
    assert "c001" in shown[0]
    assert any("<svg" in html for html in shown)
    assert "<table" in greenexp.plan(SPEC)._repr_html_()
    trials = pd.DataFrame({"model": ["<script>alert(1)</script>", "b"] * 4, "accuracy": [0.1 * i for i in range(8)]})
    assert "<script>" not in greenexp.curve(trials, score="accuracy", by="model")._repr_html_()
