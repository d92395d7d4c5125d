"""`greenexp curve` on tables in files and on a sweep; on MLflow runs: `test_report_of_foreign_runs`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stand_ins import ASHA, Sweep, Workers

from greenexp.analysis.curves.curve_bands import tuning_curve_band
from greenexp.analysis.curves.extrapolate import extrapolate
from greenexp.analysis.curves.over_cost import curve_over_cost
from greenexp.analysis.curves.tuning_curve import tuning_curve, tuning_curve_error, tuning_curve_std
from greenexp.analysis.curves.winner import expected_test_of_winner

Command = Callable[..., tuple[int, str, str]]
SCORES = np.array([0.5, 0.7, 0.6, 0.9, 0.8, 0.65, 0.55, 0.75, 0.85, 0.72])
COSTS = np.array([1, 2, 1, 4, 3, 1, 2, 2, 3, 1.0])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two groups: `a` has 10 scores, `b` the same less 0.1, and 2 that crashed."""
    rows = ["model,acc,hours"]
    rows += [f"a,{score},{cost}" for score, cost in zip(SCORES, COSTS, strict=True)]
    rows += [f"b,{score - 0.1},{cost}" for score, cost in zip(SCORES, COSTS, strict=True)]
    rows += ["b,,5", "b,nan,5"]
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def rows_of(out: str, table: str = "curve") -> dict[str, list[dict[str, Any]]]:
    """JSON rows of a table by group."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(out)[table]:
        found.setdefault(row["by"], []).append(row)
    return found


def test_every_number_is_the_analysis_own(command: Command, table: Path) -> None:
    code, out, err = command("curve", table, "--score", "acc", "--by", "model", "--budgets", "1,3,9,10", "--json")
    assert code == 0
    rows = rows_of(out)
    n = [1, 3, 9, 10]
    band = tuning_curve_band(SCORES, n)
    assert [row["n"] for row in rows["a"]] == n
    assert [row["estimate"] for row in rows["a"]] == pytest.approx(tuning_curve(SCORES, n), abs=1e-12)
    errors = tuning_curve_error(SCORES, n)
    assert [row["standard_error"] for row in rows["a"]] == [*map(pytest.approx, errors[:3]), None]
    assert [row["standard_deviation"] for row in rows["a"]] == pytest.approx(tuning_curve_std(SCORES, n), abs=1e-12)
    assert all("lower" not in row for row in rows["a"]), "a band of the median is no band of the mean"
    medians = rows_of(out, "median")["a"]
    assert [row["median"] for row in medians] == pytest.approx(tuning_curve(SCORES, n, "median"))
    assert [row["lower"] for row in medians] == pytest.approx(list(band["lower"]))
    assert [row["trivial"] for row in medians] == list(band["trivial"])
    assert medians[-1]["upper"] == "inf", "nothing bounds the best of 10 without a support"
    assert [row["scores"] for row in rows["b"]] == [10] * 4
    assert "b: 2 of 12 trials have no score" in err


def test_a_band_stands_beside_the_curve_it_is_of(command: Command, table: Path) -> None:
    asked = ["curve", table, "--score", "acc", "--by", "model"]
    out = command(*asked)[1]
    mean, median = out.partition("Median of the best")[::2]
    assert "expected best" in mean
    assert "band" not in mean.splitlines()[-2]
    assert "95 %" in median.splitlines()[0]
    of_mean = json.loads(command(*asked, "--support", "0,1", "--confidence", "0.9", "--json")[1])
    assert "median" not in of_mean
    truth = tuning_curve_band(SCORES, [1], 0.9, "mean", support=(0, 1))
    assert of_mean["curve"][0]["lower"] == pytest.approx(truth["lower"][0])
    assert "0.9 quantile of the best" in command(*asked, "--estimator", "0.9")[1]
    quantile = rows_of(command(*asked, "--estimator", "0.9", "--json")[1])["a"][0]
    assert quantile["lower"] == pytest.approx(tuning_curve_band(SCORES, [1], estimator=0.9)["lower"][0])


def test_the_verdict_comes_first(command: Command, table: Path) -> None:
    out = command("curve", table, "--score", "acc", "--by", "model")[1]
    found = json.loads(command("curve", table, "--score", "acc", "--by", "model", "--json")[1])
    assert out.splitlines()[: len(found["verdict"])] == found["verdict"]
    at_five = next(row for row in found["curve"] if row["by"] == "a" and row["n"] == 5)
    assert f"{at_five['estimate']:.4g}" in found["verdict"][0]
    assert f"{at_five['standard_error']:.2g}" in found["verdict"][0]


@pytest.mark.parametrize("estimator", ["biased", "median", 0.25])
def test_estimators_direction_and_ranges(command: Command, table: Path, estimator: str | float) -> None:
    code, out, _ = command(
        "curve", table, "--score", "acc", "--by", "model", "--estimator", estimator, "--minimize", "--budgets", "1:9:4",
        "--json",
    )  # fmt: skip
    assert code == 0
    rows = rows_of(out)["a"]
    assert [row["n"] for row in rows] == [1, 5, 9]
    assert [row["estimate"] for row in rows] == pytest.approx(tuning_curve(SCORES, [1, 5, 9], estimator, True))
    assert all(row["standard_error"] is None for row in rows), "the jackknife is of the unbiased curve alone"


def test_over_cost_a_crash_costs_and_scores_nothing(command: Command, table: Path) -> None:
    code, out, err = command(
        "curve", table, "--score", "acc", "--by", "model", "--cost", "hours", "--budgets", "1,4,10,20", "--json"
    )
    assert code == 0
    crashed = np.concatenate((SCORES - 0.1, [np.nan, np.nan]))
    truth = curve_over_cost(crashed, np.concatenate((COSTS, [5, 5])), [1, 4, 10, 20]).table
    rows = rows_of(out)["b"]
    assert [row["estimate"] for row in rows] == pytest.approx(list(truth["best"]), abs=1e-12)
    assert [row["nothing_finished"] for row in rows] == pytest.approx(list(truth["nothing_finished"]), abs=1e-11)
    assert "2 of 12 trials have no score" in err
    assert {row["computed"] for row in rows} == {"renewal without replacement, exact on a lattice of 1"}
    code, out, err = command("curve", table, "--score", "acc", "--cost", "hours", "--mean-cost", "--json")
    assert code == 0
    assert "n x mean cost (wrong where costs vary)" in err


def test_budgets_beyond_the_scores_are_refused_group_by_group(command: Command, table: Path) -> None:
    table.write_text(table.read_text() + "a,0.5,1\na,0.6,1\n", encoding="utf-8")
    code, out, err = command("curve", table, "--score", "acc", "--by", "model", "--budgets", "5,12,40", "--json")
    assert code == 0
    rows = rows_of(out)
    assert [row["n"] for row in rows["a"]] == [5, 12]
    assert [row["n"] for row in rows["b"]] == [5]
    assert "b has 10 scores" in err
    assert "12, 40 are left out" in err
    assert "a: 2 of 12 scores repeat another" in err


def test_bootstrap_comes_with_what_was_measured_of_it(command: Command, table: Path) -> None:
    code, out, err = command("curve", table, "--score", "acc", "--by", "model", "--bootstrap", "--json")
    assert code == 0
    assert all(
        row["bootstrap_lower"] <= row["estimate"] <= row["bootstrap_upper"] + 1e-9 for row in json.loads(out)["curve"]
    )
    assert "measured" in err
    assert "%" in err


@pytest.mark.parametrize("kind", ["semicolon", "tab", "bom", "quoted", "parquet"])
def test_dialects_of_a_table(command: Command, tmp_path: Path, kind: str) -> None:
    rows = ["model;acc", "x;0.5", "", "x;0.7"]
    path = tmp_path / ("t.tsv" if kind == "tab" else "t.parquet" if kind == "parquet" else "t.csv")
    if kind == "parquet":
        pd.DataFrame({"model": ["x", "x"], "acc": [0.5, 0.7]}).to_parquet(path)
    else:
        text = "\r\n".join(rows)
        text = {"semicolon": text, "tab": text.replace(";", "\t"), "bom": "\ufeff" + text}.get(
            kind, text.replace("x;", '"x, and; y";').replace("model;acc", '"model";"acc"')
        )
        path.write_text(text, encoding="utf-8")
    code, out, _ = command("curve", path, "--score", "acc", "--by", "model", "--json")
    assert code == 0
    rows = json.loads(out)["curve"]
    assert [row["estimate"] for row in rows] == pytest.approx([0.6, 0.7])
    assert rows[0]["by"] == ("x, and; y" if kind == "quoted" else "x")


@pytest.mark.parametrize(
    ("text", "asked", "words"),
    [
        ("model,acc\na,1\n", ["--score", "accc"], "no column 'accc' (did you mean 'acc'?) (there are: model, acc)"),
        ("model,acc\na,1\nb,good\nb,0.5\n", ["--score", "acc"], "column 'acc' must hold numbers; line 3: 'good'"),
        ("acc;x\n0,85;1\n", ["--score", "acc"], "decimals are written with a point"),
        ("acc,acc\n1,2\n", ["--score", "acc"], "the header names 'acc' more than once"),
        ("model,acc\na,1,2\n", ["--score", "acc"], "t.csv:2: 3 cells, and the header has 2"),
        ("", ["--score", "acc"], "the file is empty"),
        ("acc\n", ["--score", "acc"], "there is a header and no row below it"),
        ("a,0.5,3\nb,0.6,4\n", ["--score", "accuracy"], "header seems to be missing"),
        ("acc\nnan\n", ["--score", "acc"], "no trial has a score"),
        ("acc\n1\n2\n", ["--score", "acc", "--budgets", "3"], "no group has as many scores"),
        ("acc\n1\n2\n", ["--score", "acc", "--budgets", "1.5"], "whole ones"),
        ("acc\n1\n2\n", ["--score", "acc", "--budgets", "3:1"], "is empty"),
        ("acc\n1\n2\n", ["--score", "acc", "--budgets", "many"], "such as 1,2,5,10 or 1:100"),
        ("acc\n1\n2\n", ["--score", "acc", "--support", "0,1"], "do not lie in the support"),
        ("acc\n1\n2\n", ["--score", "acc", "--support", "1,0"], "such as 0,1, got '1,0'"),
        ("acc\n1\n2\n", ["--score", "acc", "--estimator", "mean"], "expected unbiased, biased, median"),
        ("acc\n1\n2\n", ["--score", "acc", "--mean-cost"], "needs a cost"),
        ("acc\n1\n2\n", ["--score", "acc", "--filter", "x"], "runs at an MLflow address"),
        ("acc\n1\n2\n", [], "--score COLUMN"),
        ("acc,s\n1,1\n2,\n", ["--score", "acc", "--cost", "s"], "t.csv:3: cost column 's': 1 of 2 costs are missing"),
        ("acc,s\n1,1\n2,0\n", ["--score", "acc", "--cost", "s"], "not above 0 (here: 0)"),
        (
            "acc,s\n1,1\n2,3\n",
            ["--score", "acc", "--cost", "s", "--bootstrap"],
            "bootstrap: only over numbers of trials",
        ),
    ],
)
def test_one_mistake_one_message(command: Command, tmp_path: Path, text: str, asked: list[str], words: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    code, out, err = command("curve", "t.csv", *asked)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_a_file_that_is_not_there_or_is_no_table(command: Command, tmp_path: Path) -> None:
    assert command("curve", "nowhere.csv", "--score", "x")[0] == 2
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    assert "expected a table that ends in .csv" in command("curve", "t.xlsx", "--score", "x")[2]
    (tmp_path / "t.csv").write_bytes(b"acc\n\xff\xfe\n")
    assert "not a text in UTF-8" in command("curve", "t.csv", "--score", "acc")[2]
    (tmp_path / "t.parquet").write_bytes(b"acc")
    assert "not a Parquet file" in command("curve", "t.parquet", "--score", "acc")[2]


def test_a_table_is_read_without_torch_ray_or_mlflow(table: Path) -> None:
    code = (
        "import sys\nfrom greenexp.cli.main import main\n"
        f"for asked in ['curve'], ['curve', '--cost', 'hours'], ['compare'], ['front', '--cost', 'hours']:\n"
        f"    try:\n        main([asked[0], {str(table)!r}, '--score', 'acc', '--by', 'model', *asked[1:]])\n"
        "    except SystemExit as leaving:\n        assert not leaving.code\n"
        "heavy = {'torch', 'ray', 'mlflow', 'transformers', 'optuna', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., str]:
    """`sweep("sha", "random")`: the folder of a recorded sweep of 9 configurations x 2 seeds."""

    def record(scheduler: str, search: str = "random") -> str:
        folder = tmp_path / f"{scheduler}-{search}"
        plan = Sweep(folder)
        settings = {"name": "fifo"} if scheduler == "fifo" else {**ASHA, "name": scheduler}
        searched = {"name": search, "samples": 9} if search == "random" else {"name": search}
        plan.spec |= {"search": searched, "scheduler": settings}
        conductor = plan.open(configurations=9, scheduler=settings)
        Workers(conductor).play()
        conductor.close()
        conductor.journal.close()
        return str(folder)

    return record


def test_a_sweep_gives_the_curve_its_records_allow(command: Command, sweep: Callable[..., str]) -> None:
    whole = sweep("fifo")
    code, out, err = command("curve", whole, "--json")
    assert code == 0
    rows = json.loads(out)["curve"]
    assert rows[-1]["n"] == 9
    assert json.loads(out)["median"][-1]["n"] == 9
    assert "9 of 9 configurations enter, each with the mean over its seeds (18 trials)" in err
    code, out, _ = command("curve", whole, "--cost", "train_flops", "--json")
    assert code == 0
    assert json.loads(out)["curve"][-1]["estimate"] == pytest.approx(rows[-1]["estimate"])
    code, _, err = command("curve", whole, "--cost", "train_flop")
    assert (code, "did you mean 'train_flops'" in err) == (2, True)
    code, out, _ = command("curve", whole, "--by", "training.learning_rate", "--json")
    assert len(rows_of(out)) == 9
    for given in ("minimize", "score"):
        code, _, err = command("curve", whole, f"--{given}", *(["acc"] if given == "score" else []))
        assert (code, f"leave out {given}" in err) == (2, True)


def test_stopped_trials_give_a_bound_and_a_grid_gives_nothing(command: Command, sweep: Callable[..., str]) -> None:
    stopped = sweep("sha")
    code, out, err = command("curve", stopped, "--json")
    assert code == 0
    rows = json.loads(out)["curve"]
    assert "median" not in json.loads(out)
    assert {row["bound"] for row in rows} == {"lower bound"}
    assert all("lower" not in row and row["standard_error"] is None for row in rows), "no band of what is no draw"
    assert "A lower bound:" in err
    assert "lower bound" in command("curve", stopped)[1].splitlines()[0]
    code, _, err = command("curve", stopped, "--cost", "train_flops")
    assert (code, "stopped early" in err) == (2, True)
    code, out, err = command("curve", sweep("fifo", "grid"))
    assert (code, out) == (2, "")
    assert "a 'grid' search is not that" in err


def test_the_winners_test_score_and_the_best_so_far(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    ends = SCORES + 0.05 * rng.standard_normal(SCORES.size)
    rows = [f"{score},{end},{cost}" for score, end, cost in zip(SCORES, ends, COSTS, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["dev,test,s", *rows]) + "\n", encoding="utf-8")
    asked = ["curve", "t.csv", "--score", "dev"]
    code, out, _ = command(*asked, "--test", "test", "--best-so-far", "--budgets", "1,4,10", "--json")
    assert code == 0
    found = json.loads(out)["curve"]
    truth = expected_test_of_winner(SCORES, ends, [1, 4, 10])
    assert [row["test_of_winner"] for row in found] == pytest.approx(list(truth))
    assert [row["best_so_far"] for row in found] == [0.5, 0.9, 0.9]
    assert "test of the winner" in command(*asked, "--test", "test")[1]
    found = json.loads(command(*asked, "--cost", "s", "--best-so-far", "--budgets", "0.5,1,3,8,20", "--json")[1])[
        "curve"
    ]
    assert [row["best_so_far"] for row in found] == [None, 0.5, 0.7, 0.9, 0.9]
    # Without a test score: said, and only as many trials as have both.
    (tmp_path / "t.csv").write_text("\n".join(["dev,test,s", *rows[:8], "0.85,,3", "0.72,nan,1", ",0.9,1"]) + "\n")
    code, out, err = command(*asked, "--test", "test", "--budgets", "8,10", "--json")
    assert code == 0
    assert [row["test_of_winner"] for row in json.loads(out)["curve"]] == [pytest.approx(ends[3]), None]
    assert "2 of 10 trials with a score have no test score" in err
    (tmp_path / "t.csv").write_text("dev,test,s\n1,,1\n,1,1\n")
    assert "no trial has both a score and a test score" in command(*asked, "--test", "test")[2]


@pytest.fixture
def many(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """100 scores below 1, and 10 in a second group, too few to extrapolate."""
    scores = np.random.default_rng(7).beta(4, 2, 100)
    rows = ["model,acc", *(f"a,{score}" for score in scores), *(f"b,{score}" for score in scores[:10])]
    (tmp_path / "many.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "many.csv", scores


def test_extrapolated_rows_are_labelled_and_back_tested(command: Command, many: tuple[Path, np.ndarray]) -> None:
    path, scores = many
    asked = ["curve", path, "--score", "acc", "--by", "model", "--budgets", "10", "--extrapolate", "50,150"]
    code, out, err = command(*asked, "--json")
    assert code == 0
    assert [row["n"] for row in rows_of(out)["a"]] == [10]
    assert list(rows_of(out, "extrapolated")) == ["a"]
    (last,) = rows_of(out, "extrapolated")["a"]
    truth = extrapolate(scores, [150], np.random.default_rng(0))
    assert (last["n"], last["scores"], last["estimator"]) == (150, 100, "median")
    assert last["best"] == pytest.approx(truth.table["best"].iloc[0])
    assert (last["back_test_error"], last["error_without"]) == pytest.approx((truth.rms_error, truth.rms_error_without))
    assert last["tested_factor"] == pytest.approx(1.5)
    assert "a: n = 150 is extrapolated from 100 trials" in err
    assert "b: not extrapolated: scores must be a list of at least 48" in err
    assert "a: up to 100 trials the curve itself is known" in err
    assert ("loses its own back-test" in err) == (truth.rms_error >= truth.rms_error_without)
    assert "Beyond the trials made" in command(*asked)[1]
    quantile = json.loads(command(*asked, "--estimator", "0.9", "--json")[1])["extrapolated"][0]
    assert quantile["best"] == pytest.approx(
        extrapolate(scores, [150], np.random.default_rng(0), estimator=0.9).table["best"].iloc[0]
    )


def test_a_model_that_loses_its_back_test_comes_with_a_warning(command: Command, tmp_path: Path) -> None:
    scores = np.minimum(np.random.default_rng(1).random(60), 0.8)  # the best there is, is seen at once
    (tmp_path / "t.csv").write_text("\n".join(["acc", *map(str, scores)]) + "\n", encoding="utf-8")
    truth = extrapolate(scores, [240], np.random.default_rng(0))
    assert truth.rms_error >= truth.rms_error_without
    code, _, err = command("curve", "t.csv", "--score", "acc", "--extrapolate", "240")
    assert code == 0
    assert "warning: the model loses its own back-test at n = 240" in err
    assert "warning: n = 240 is 4 times the trials made, and only the factor 1.5 could be tested" in err


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--extrapolate", "400"], "no group can be extrapolated"),
        (["--extrapolate", "1.5"], "whole numbers of trials"),
        (["--extrapolate", "9", "--cost", "hours"], "extrapolate: only over numbers of trials"),
        (["--test", "hours", "--cost", "hours"], "test: only over numbers of trials"),
        (["--test", "hour"], "did you mean 'hours'"),
    ],
)
def test_one_mistake_about_more_columns(command: Command, table: Path, asked: list[str], words: str) -> None:
    code, out, err = command("curve", table, "--score", "acc", *asked)
    assert (code, out) == (2, "")
    assert words in err


def test_what_a_sweep_does_not_say(command: Command, sweep: Callable[..., str]) -> None:
    stopped = sweep("sha")
    assert "a model of lower bounds says nothing" in command("curve", stopped, "--extrapolate", "99")[2]
    assert "only its chosen configuration is evaluated on test" in command("curve", stopped, "--test", "x")[2]
    assert "the report has it" in command("curve", stopped, "--best-so-far")[2]
