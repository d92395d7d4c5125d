"""Lines for ELUE's score from sweeps, tables and papers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep, with_thresholds
from told import tells

from greenexp.api.comparisons import front
from greenexp.api.elue import board, score
from greenexp.api.elue_tasks import run_tasks
from greenexp.errors import InputError, SweepFileError, UnknownNameError
from greenexp.records.metrics import MEANS
from greenexp.records.scored_lines import ELUE_METRICS, ELUE_TASKS, CostConvention, ScoredLine
from greenexp.report import render_report, report_sections
from greenexp.report.contents import LINE_TO_LINE
from greenexp.sources.elue.lines import LineRequest, read_baseline, read_lines
from greenexp.sources.elue.paper import Paper, PaperPoint, PaperTask, paper_text, read_paper
from greenexp.tasks.elue import LAYOUTS, performance


@pytest.fixture(scope="module")
def tables():
    """Two configurations of three seeds, c001 chosen; entropy decides where examples leave."""
    return with_thresholds(sweep(2, 3), points_alone=True, policies=("entropy",))


def test_a_sweep_has_a_line_per_policy_and_a_seed_per_trial(tables) -> None:
    lines = {line.name: line for line in read_lines(tables)}
    assert set(lines) == {"made/c001/static", "made/c001/entropy"}
    static = lines["made/c001/static"]
    assert list(static.seeds) == [f"c001-i{seed}-o0" for seed in range(3)]
    points = tables.operating_points
    own = points[(points["trial"] == "c001-i1-o0") & (points["policy"] == "static")].sort_values("inference_flops")
    expected = np.column_stack([own["inference_flops"] / 1e6, own["score"] * 100])
    np.testing.assert_allclose(static.seeds["c001-i1-o0"], expected)
    (one,) = read_lines(tables, LineRequest(configuration="c000-i2-o0", policies=("entropy",)))
    assert list(one.seeds) == ["c000-i2-o0"]
    assert one.choosable
    assert read_baseline(tables).name == "made/c001/static"
    with pytest.raises(UnknownNameError, match="c009"):
        read_lines(tables, LineRequest(configuration="c009"))
    with pytest.raises(UnknownNameError, match=r"entropi.*entropy"):
        read_lines(tables, LineRequest(policies=("entropi",)))


def test_a_sweep_of_losses_is_refused() -> None:
    with pytest.raises(InputError, match="smaller is better"):
        read_lines(sweep(1, 1, metric={"name": "loss", "mode": "min"}))


def test_seeds_of_one_sweep_are_paired(tables) -> None:
    found = score(tables, baseline=tables)
    (row,) = found["scores"].to_dict("records")
    assert (row["line"], row["metric"]) == ("made/c001/entropy", "accuracy")
    assert "paired" in row["interval_over"]
    seeds = found["seeds"]["score"]
    assert row["score"] == pytest.approx(seeds.mean())
    assert row["lower"] < row["score"] < row["upper"]
    assert len(found.figures) == 1
    other = score(tables, baseline=tables, baseline_configuration="c000", policies=["static"], outside="clamp")[
        "scores"
    ].iloc[0]
    assert (other["baseline"], other["seeds"]) == ("made/c000/static", 3)
    assert "paired" not in other["interval_over"]


@pytest.fixture(scope="module")
def with_f1(tables):
    """The same sweep, whose exits are also scored by F1: half of their accuracy."""
    return dataclasses.replace(tables, exits=tables.exits.assign(dev_f1=tables.exits["dev_accuracy"] / 2))


def test_what_is_on_record_by_both_metrics_is_compared_by_the_one_of_the_points(with_f1) -> None:
    (static,) = read_lines(with_f1, LineRequest(policies=("static",)))
    assert set(static.others) == {"f1", "accuracy_and_f1"}
    rows = static.seeds["c001-i0-o0"]
    typed = ScoredLine("typed", {"p": rows * [1, 0.75]}, metric="accuracy_and_f1")
    found = score(typed, baseline=with_f1, baseline_configuration="c001-i0-o0")
    (row,) = found["scores"].to_dict("records")
    assert (row["score"], row["metric"]) == (pytest.approx(0, abs=1e-9), "accuracy_and_f1")
    assert any(tells(note, "static is scored by accuracy … accuracy_and_f1") for note in found.notes)


def test_unequal_metrics_are_refused_with_the_metric_of_each_line(with_f1, tmp_path: Path) -> None:
    (entropy,) = read_lines(with_f1, LineRequest(policies=("entropy",)))
    typed = Paper(model="typed", tasks={"MRPC": PaperTask(metric="accuracy_and_f1", points=POINTS)})
    with pytest.raises(InputError) as refused:
        score(entropy, baseline=typed, outside="clamp")
    assert tells(str(refused.value), "entropy by accuracy; typed by accuracy_and_f1")
    other = Paper(model="other", tasks={"MRPC": PaperTask(metric="accuracy", points=POINTS)})
    with pytest.raises(InputError) as refused:
        board(typed, baseline=other)
    assert tells(str(refused.value), "MRPC … other by accuracy; typed by accuracy_and_f1")
    path = tmp_path / "mixed.csv"
    path.write_text("mflops,points,metric\n1,80,f1\n2,81,accuracy\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_lines(path)
    assert tells(str(refused.value), "mixed.csv:3 … f1 … accuracy")


def test_a_metric_that_is_not_on_record_is_said(tables) -> None:
    bare = ScoredLine("bare", read_lines(tables)[0].seeds)
    found = score(bare, baseline=tables)
    assert any(tells(note, "bare … not on record … accuracy") for note in found.notes)


def test_the_report_has_the_section_where_a_baseline_is_named(tables, tmp_path: Path) -> None:
    found = score(tables, baseline=tables)
    assert LINE_TO_LINE not in {section.name for section in report_sections(tables)}
    (alone,) = report_sections(tables, [LINE_TO_LINE])
    assert "--baseline" in alone.headline[0]
    (section,) = report_sections(tables, [LINE_TO_LINE], found)
    assert section.headline == found.verdict
    frame = section.plates[0].table.frame
    assert frame["difference"].dropna().mean() == pytest.approx(float(found["points"]["difference"].mean()))
    render_report(tables, ("html", "csv"), tmp_path, [LINE_TO_LINE], found)
    written = pd.read_csv(tmp_path / "report-tables" / "line_to_line.csv")
    assert written["score"].tolist() == pytest.approx(found["scores"]["score"].tolist())


def test_front_sets_groups_against_a_baseline_in_their_units() -> None:
    points = pd.DataFrame({"m": ["a", "a", "b"], "cost": [1.0, 3.0, 2.0], "accuracy": [0.5, 0.9, 0.8]})
    base = pd.DataFrame({"cost": [1.0, 3.0], "accuracy": [0.4, 0.8]})
    named = {"score": "accuracy", "cost": "cost"}
    found = front(points, **named, by="m", baseline=base)
    heights = found["line_to_line"].set_index("by")["height"]
    assert heights.to_dict() == pytest.approx({"a": 0.1, "b": 0.2})
    wide = pd.DataFrame({"cost": [4.0], "accuracy": [0.9]})
    with pytest.raises(InputError, match="outside"):
        front(wide, **named, baseline=base)
    assert front(wide, **named, baseline=base, outside="clamp")["line_to_line"]["clamped"].tolist() == [1]
    with pytest.raises(InputError, match="larger"):
        front(points, **named, minimize=True, baseline=base)
    assert found.warnings == ()
    in_points = front(points, **named, by="m", baseline=base.assign(accuracy=100 * base["accuracy"]))
    assert [tells(warning, "scores of … baseline … points") for warning in in_points.warnings] == [True, True]


def test_a_table_may_have_lines_seeds_and_tasks(tmp_path: Path) -> None:
    rows = ["line,seed,task,mflops,performance", "x,0,MRPC,10,80", "x,1,MRPC,12,81", "y,0,MRPC,9,70", "x,0,SST-2,5,90"]
    path = tmp_path / "lines.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(InputError, match="MRPC, SST-2"):
        read_lines(path)
    x, y = read_lines(path, LineRequest(task="MRPC"))
    assert (x.name, list(x.seeds), y.seeds["0"].tolist()) == ("x", ["0", "1"], [[9.0, 70.0]])
    with pytest.raises(InputError, match="2 lines"):
        read_baseline(path, LineRequest(task="MRPC"))
    path.write_text("mflops,points\n10,80\n-4,81\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_lines(path)
    assert tells(str(refused.value), "lines.csv:3 … negative")


POINTS = (PaperPoint(performance=80, mflops=1), PaperPoint(performance=90, mflops=9))
PAPER = Paper(
    model="X",
    mparams=12,
    tasks={
        "SST-2": PaperTask(points=(PaperPoint(performance=90, mflops=5, mparams=45),)),
        "MRPC": PaperTask(score=-1.5),
    },
)


def test_a_paper_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(paper_text(PAPER), encoding="utf-8")
    assert read_paper(path) == PAPER
    assert read_paper(path).most_mparams() == 45
    path.write_text(paper_text(PAPER) + "counted: macs\n", encoding="utf-8")
    (line,) = read_lines(path, LineRequest(task="SST-2"))
    assert line.seeds["paper"].tolist() == [[10.0, 90.0]]
    with pytest.raises(InputError, match="no points on MRPC"):
        read_lines(path, LineRequest(task="MRPC"))
    path.write_text("model: X\ntasks:\n  MRPC: {score: 1, points: [{mflops: 1, performance: 300}]}\n", encoding="utf-8")
    with pytest.raises(SweepFileError) as refused:
        read_paper(path)
    assert {(problem.line, problem.path) for problem in refused.value.problems} == {
        (3, "tasks.MRPC"), (3, "tasks.MRPC.points.0.performance"),
    }  # fmt: skip


def test_a_board_scores_points_and_takes_published_scores() -> None:
    base = Paper(
        model="base",
        tasks={"SST-2": PaperTask(points=(PaperPoint(performance=80, mflops=1), PaperPoint(performance=90, mflops=9)))},
    )
    found = board(PAPER, baseline=base)
    row = found["board"].set_index("model").loc["X"]
    assert (row["SST-2"], row["MRPC"], row["mparams"]) == (5.0, -1.5, 45)
    assert np.isnan(row["average"])
    assert set(found["tracks"]["track_mparams"]) == {55, 70, 110}
    with pytest.raises(InputError, match="baseline"):
        board(PAPER)
    whole = Paper(model="Y", tasks={name: PaperTask(score=float(k)) for k, name in enumerate(ELUE_TASKS)})
    assert board(whole)["board"]["average"].tolist() == [2.5]


def of_sst2(model: str, *points: tuple[float, float], **known: Any) -> Paper:
    metric = known.pop("metric", None)
    typed = tuple(PaperPoint(mflops=cost, performance=height) for cost, height in points)
    return Paper(model=model, tasks={"SST-2": PaperTask(metric=metric, points=typed)}, **known)


@pytest.mark.parametrize(
    "paper",
    [
        of_sst2("counter", (200, 85), counted=CostConvention.COUNTER_FLOPS),
        of_sst2("macs", (100, 85), counted=CostConvention.MACS),
        of_sst2("share", (200, 0.85)),
    ],
    ids=lambda paper: paper.model,
)
def test_a_board_says_what_a_score_says(paper: Paper) -> None:
    base = of_sst2("base", (100, 80), (400, 90), counted=CostConvention.FLOPS, metric="accuracy")
    alone, beside = score(paper, baseline=base), board(paper, baseline=base)
    assert beside.warnings == tuple(f"SST-2: {text}" for text in alone.warnings)
    assert len(alone.warnings) == (paper.model != "macs")
    told = {note.removeprefix("SST-2: ") for note in beside.notes}
    assert {note for note in alone.notes if not note.startswith("the baseline is")} <= told
    assert any(tells(note, f"{paper.model} … not on record … accuracy") for note in told)
    other = Paper(model="other", tasks={"IMDb": PaperTask(points=POINTS)})
    assert any(tells(note, "IMDb: other … no score") for note in board(other, baseline=base).notes)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", "p.yaml: … empty"),
        ("model: x\ntasks:\n  MRPC: {score: 1e30}\n", "p.yaml:3:17: tasks.MRPC.score … 200"),
        ("model: x\ntasks:\n  MRPC: {score: true}\n", "p.yaml:3:17: tasks.MRPC.score … number … true"),
        (
            "model: x\ntasks:\n  MRPC: {points: [{mflops: true, performance: 3}]}\n",
            "p.yaml:3:28: tasks.MRPC.points.0.mflops … number … true",
        ),
        (
            "model: x\ntasks:\n  MRPC: {points: [{mflops: 1, performance: false}]}\n",
            "p.yaml:3:44: tasks.MRPC.points.0.performance … number … false",
        ),
        ("model: x\nmparams: true\ntasks:\n  MRPC: {score: 1}\n", "p.yaml:2:10: mparams … number … true"),
    ],
)
def test_what_is_no_paper_is_refused_with_its_place(text: str, facts: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SweepFileError) as refused:
        read_paper(path)
    assert tells(str(refused.value), facts), refused.value


def test_tasks_without_files_are_left_out_and_named(tmp_path: Path) -> None:
    from made_benchmarks import write_elue

    folder = write_elue(tmp_path / "elue")
    (folder / "SNLI" / "train.tsv").unlink()
    (folder / "MRPC" / "test_full.tsv").unlink()
    runs, left_out = run_tasks("elue", overrides=(f"task.folder={folder}",), out=tmp_path)
    assert set(runs) == {"SST-2", "IMDb", "SciTail", "STS-B"}
    assert "train.tsv" in left_out["SNLI"]
    assert "test_full.tsv" in left_out["MRPC"]
    assert runs["STS-B"].out == tmp_path / "elue-STS-B"
    assert {"task.task=STS-B", "metric.name=pearson_and_spearman"} <= set(runs["STS-B"].overrides)
    assert not any("metric.name" in text for text in runs["IMDb"].overrides)
    with pytest.raises(InputError, match="clauses"):
        run_tasks("smoke")
    with pytest.raises(InputError, match="no task of ELUE"):
        run_tasks("elue", overrides=("task.folder=nowhere",))


def test_the_tasks_are_those_of_the_layouts() -> None:
    assert tuple(LAYOUTS) == ELUE_TASKS == tuple(ELUE_METRICS)
    for task, layout in LAYOUTS.items():
        assert MEANS.get(ELUE_METRICS[task], (ELUE_METRICS[task],)) == layout.metrics


def test_performance_is_the_mean_of_a_tasks_metrics() -> None:
    answers, labels = ["1", "1", "0", "1"], ["1", "0", "0", "1"]
    assert performance("SST-2", answers, labels) == pytest.approx(75)
    f1 = 2 * 2 / (2 * 2 + 1)
    assert performance("MRPC", answers, labels) == pytest.approx(100 * (0.75 + f1) / 2)
    values, right = ["1.0", "2.5", "3.0", "0.5"], ["1", "2", "4", "1"]
    pearson = np.corrcoef([1, 2.5, 3, 0.5], [1, 2, 4, 1])[0, 1]
    spearman = np.corrcoef([2, 3, 4, 1], [1.5, 3, 4, 1.5])[0, 1]
    assert performance("STS-B", values, right) == pytest.approx(100 * (pearson + spearman) / 2)
    with pytest.raises(InputError, match="'x'"):
        performance("SST-2", ["x"], ["1"])
