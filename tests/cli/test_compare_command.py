"""`greenexp compare`: pairs, regions, crossings, targets, and several sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stand_ins import ASHA, Sweep, Workers

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.comparing.compare import compare_at, compare_over_cost
from greenexp.analysis.comparing.pairwise import compare_pairwise
from greenexp.analysis.curves.target import budget_to_reach
from greenexp.analysis.curves.tuning_curve import tuning_curve

Command = Callable[..., tuple[int, str, str]]
RNG = np.random.default_rng(3)
STEADY = 0.6 + 0.02 * RNG.random(60)
WILD = 0.2 + 0.7 * RNG.random(40)
HOURS = RNG.integers(1, 5, 100).astype(float)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """`steady` is better for little money, `wild` for much."""
    frame = pd.DataFrame(
        {"model": ["steady"] * 60 + ["wild"] * 40, "acc": np.concatenate((STEADY, WILD)), "hours": HOURS}
    )
    path = tmp_path / "scores.csv"
    frame.to_csv(path, index=False)
    return path


def test_every_number_is_the_analysis_own(command: Command, table: Path) -> None:
    asked = ["compare", table, "--score", "acc", "--by", "model"]
    code, out, err = command(*asked, "--budgets", "1,5,40", "--json")
    assert code == 0
    found = json.loads(out)
    truth = compare_at(STEADY, WILD, [1, 5, 40])
    tests = compare_pairwise({"steady": STEADY, "wild": WILD}, [1, 5, 40], np.random.default_rng(0))
    assert [row["difference"] for row in found["pairs"]] == pytest.approx(list(truth["difference"]))
    assert [row["lower_95"] for row in found["pairs"]][:1] == pytest.approx(list(truth["lower_95"])[:1])
    assert [row["p_holm"] for row in found["pairs"]] == pytest.approx(list(tests["p_holm"]))
    better = [probability_better(STEADY, WILD, n) for n in (1, 5, 40)]
    assert [row["probability_better"] for row in found["pairs"]] == pytest.approx(better)
    names = {"a": "steady", "b": "wild", "": ""}
    assert [row["apart_80"] for row in found["pairs"]] == [names[name] for name in truth["apart_80"]]
    assert "over all 3 rows" in err


def test_where_the_winner_changes_with_the_budget(command: Command, table: Path) -> None:
    code, out, _ = command("compare", table, "--score", "acc", "--by", "model", "--budgets", "1,40", "--json")
    assert code == 0
    found = json.loads(out)
    n = np.arange(1, 41)
    ahead = tuning_curve(STEADY, n, "median") > tuning_curve(WILD, n, "median")
    last = int(n[ahead][-1])
    assert ahead.tolist() == (n <= last).tolist(), "the made-up scores cross once"
    assert found["leaders"] == [
        {"first": 1.0, "last": float(last), "best": "steady"},
        {"first": float(last + 1), "last": 40.0, "best": "wild"},
    ]
    assert [(row["before"], row["after"]) for row in found["crossings"]] == [(last, last + 1)]
    assert {row["better"] for row in found["regions"]} <= {"steady", "wild"}
    assert all(row["pair"] == "steady, wild" for row in found["regions"])
    text = command("compare", table, "--score", "acc", "--by", "model")[1]
    assert f"wild for n = {last + 1} to 40" in text.splitlines()[0]
    assert "change places" in text


def test_an_expected_best_has_a_band_only_with_a_support(command: Command, table: Path) -> None:
    asked = ["compare", table, "--score", "acc", "--by", "model", "--estimator", "unbiased", "--json"]
    code, out, err = command(*asked)
    assert code == 0
    assert "lower_95" not in json.loads(out)["pairs"][0]
    assert "regions" not in json.loads(out), "without bands nothing is known of where they part"
    assert "support" in err
    found = json.loads(command(*asked, "--support", "0,1", "--confidence", "0.9")[1])
    truth = compare_at(STEADY, WILD, [1], "unbiased", (0.9,), support=(0, 1))
    assert found["pairs"][0]["lower_90"] == pytest.approx(truth["lower_90"][0])


def test_minimize_turns_the_leaders_around(command: Command, table: Path) -> None:
    asked = ["compare", table, "--score", "acc", "--by", "model", "--budgets", "30", "--json"]
    assert json.loads(command(*asked)[1])["leaders"][-1]["best"] == "wild"
    found = json.loads(command(*asked, "--minimize")[1])
    assert found["leaders"][-1]["best"] == "wild", "the smallest scores are its too"
    assert found["pairs"][0]["probability_better"] == pytest.approx(probability_better(STEADY, WILD, 30, minimize=True))


def test_at_equal_cost(command: Command, table: Path) -> None:
    code, out, _ = command(
        "compare", table, "--score", "acc", "--by", "model", "--cost", "hours", "--budgets", "3,20", "--estimator",
        "unbiased", "--json",
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    truth = compare_over_cost(STEADY, HOURS[:60], WILD, HOURS[60:], [3, 20])
    for column in ("curve_a", "curve_b", "difference", "probability_better"):
        assert [row[column] for row in found["pairs"]] == pytest.approx(list(truth[column])), column
    assert (found["leaders"][0]["best"], found["leaders"][-1]["best"]) == ("none", "wild"), "3 hours may buy nothing"
    assert "No band or test is known" in found["verdict"][-1]


def test_what_a_target_takes(command: Command, table: Path) -> None:
    asked = ["compare", table, "--score", "acc", "--by", "model", "--cost", "hours", "--target", "0.7", "--json"]
    code, out, _ = command(*asked)
    assert code == 0
    rows = {(row["group"], row["quantity"]): row for row in json.loads(out)["target"]}
    truth = budget_to_reach(WILD, 0.7, HOURS[60:])
    assert rows["wild", "mean"]["trials"] == pytest.approx(truth.table["trials"][0])
    assert rows["wild", "90 %"]["cost"] == pytest.approx(truth.table["cost"][2])
    never = rows["steady", "mean"]
    assert (never["trials"], never["trials_upper"]) == (None, "inf"), "unknown is null, unbounded is inf"
    assert never["at_least_trials"] == pytest.approx(budget_to_reach(STEADY, 0.7).at_least_trials)
    assert any("steady: 0.7 was not reached by 60 trials" in sentence for sentence in json.loads(out)["verdict"])


def test_several_sources_are_groups(command: Command, tmp_path: Path) -> None:
    for name, scores in (("one", STEADY), ("two", WILD)):
        pd.DataFrame({"acc": scores, "kind": ["x", "y"] * (scores.size // 2)}).to_csv(f"{name}.csv", index=False)
    found = json.loads(command("compare", "one.csv", "two.csv", "--score", "acc", "--json")[1])
    assert {(row["a"], row["b"]) for row in found["pairs"]} == {("one", "two")}
    found = json.loads(command("compare", "one.csv", "two.csv", "--score", "acc", "--by", "kind", "--json")[1])
    assert len({(row["a"], row["b"]) for row in found["pairs"]}) == 6
    assert ("one: x", "two: y") in {(row["a"], row["b"]) for row in found["pairs"]}


def record(folder: Path, scheduler: str, **spec: object) -> Path:
    plan = Sweep(folder)
    plan.spec |= spec
    settings = {"name": "fifo"} if scheduler == "fifo" else {**ASHA, "name": scheduler}
    plan.spec |= {"search": {"name": "random", "samples": 9}, "scheduler": settings}
    conductor = plan.open(configurations=9, scheduler=settings)
    Workers(conductor).play()
    conductor.close()
    conductor.journal.close()
    return folder


def test_two_sweeps_and_one_that_was_stopped_early(command: Command, tmp_path: Path) -> None:
    whole, other, stopped = (
        record(tmp_path / name, kind) for name, kind in (("a", "fifo"), ("b", "fifo"), ("c", "sha"))
    )
    code, out, _ = command("compare", whole, other, "--json")
    assert code == 0
    assert [row["budget"] for row in json.loads(out)["pairs"]] == [1, 2]
    assert [row["probability_better"] for row in json.loads(out)["pairs"]] == pytest.approx([0.5] * 2)
    code, out, err = command("compare", whole, stopped)
    assert (code, out) == (2, "")
    assert "the difference of two bounds bounds nothing" in err
    pd.DataFrame({"acc": STEADY}).to_csv("t.csv", index=False)
    assert "leave out score" in command("compare", whole, "t.csv", "--score", "acc")[2]


def test_sweeps_that_measure_different_things_are_refused(command: Command, tmp_path: Path) -> None:
    clauses, pairs = (record(tmp_path / name, "fifo", task={"name": name}) for name in ("clauses", "glue"))
    code, out, err = command("compare", clauses, pairs)
    assert (code, out) == (2, "")
    assert "clauses in clauses" in err
    assert "glue in glue" in err


def test_a_plot_is_the_main_figure(command: Command, table: Path) -> None:
    asked = ["compare", table, "--score", "acc", "--by", "model", "--plot"]
    code, out, err = command(*asked, "c.svg", "--json")
    assert code == 0
    assert "c.svg" in err
    assert json.loads(out)["verdict"]
    assert Path("c.svg").read_text(encoding="utf-8").startswith("<svg")
    assert command(*asked, "c.gif")[0] == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "no column of groups"),
        (["--by", "one"], "there is one value of one"),
        (["--by", "modle"], "did you mean 'model'"),
        (["--by", "model", "--budgets", "99"], "the smallest group has 40 scores"),
        (["--by", "model", "--confidence", "95"], "such as 0.8,0.95, got '95'"),
        (["--by", "model", "--cost", "hours", "--budgets", "9999"], "cost"),
    ],
)
def test_one_mistake_one_message(command: Command, table: Path, asked: list[str], words: str) -> None:
    pd.read_csv(table).assign(one="x").to_csv(table, index=False)
    code, out, err = command("compare", table, "--score", "acc", *asked)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
