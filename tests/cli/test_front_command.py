"""`greenexp front`: fronts, what they are worth, and pairs of groups; from tables, sweeps and MLflow runs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_runs import log_search
from stand_ins import Sweep, Workers

from greenexp.analysis.fronts.attainment import attainment
from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
from greenexp.analysis.fronts.front_improvement import pareto_improvement, score_at_equal_cost
from greenexp.analysis.fronts.pareto import hypervolume, pareto_front
from greenexp.journal.tables import read_tables
from greenexp.records.tables import SweepTables
from greenexp.sources.tables import RecordedSweep
from greenexp.tracking.server import connect, default_uri

with warnings.catch_warnings():  # MLflow's own imports warn
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

Command = Callable[..., tuple[int, str, str]]
SEEDS = 8
WAYS = ("min", "max")


def seeds_of(model: str, gain: float, noise: float, seed: int) -> pd.DataFrame:
    """Three points for each of SEEDS seeds of one model."""
    rng = np.random.default_rng(seed)
    rows = [
        (model, str(k), cost, 0.5 + 0.05 * cost + gain + noise * rng.random())
        for k in range(SEEDS)
        for cost in (1.0, 2.0, 4.0)
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "flops", "acc"])


@pytest.fixture
def frame() -> pd.DataFrame:
    """`good` is above `bad` everywhere, by more than the noise; `mixed` is about as `bad`."""
    parts = [seeds_of("good", 0.05, 0.02, 1), seeds_of("bad", 0.0, 0.02, 2), seeds_of("mixed", 0.0, 0.02, 3)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def table(frame: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    frame.to_csv(path, index=False)
    return path


ASKED = ("--score", "acc", "--cost", "flops")


def points_of(frame: pd.DataFrame, model: str) -> np.ndarray:
    return frame.loc[frame["model"] == model, ["flops", "acc"]].to_numpy()


def fronts_of(frame: pd.DataFrame, model: str) -> dict[str, np.ndarray]:
    rows = frame[frame["model"] == model]
    return {str(seed): group[["flops", "acc"]].to_numpy() for seed, group in rows.groupby("seed")}


def test_every_number_is_the_analysis_own(command: Command, table: Path, frame: pd.DataFrame) -> None:
    frame = pd.read_csv(table, dtype={"seed": str})
    code, out, _ = command(
        "front", table, *ASKED, "--by", "model", "--trial", "seed", "--reference", "0.4,5", "--budgets", "1,3,8",
        "--json",
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    assert found["reference"] == {"score": 0.4, "cost": 5, "worst_seen": False}
    for model in ("good", "bad", "mixed"):
        points = points_of(frame, model)
        mine = {name: [row for row in found[name] if row["by"] == model] for name in ("front", "hypervolume")}
        expected = points[pareto_front(points, WAYS)]
        assert [(row["cost"], row["score"]) for row in mine["front"]] == [
            tuple(row) for row in expected[np.argsort(expected[:, 0])]
        ]
        assert mine["hypervolume"][0]["hypervolume"] == pytest.approx(hypervolume(points, (5, 0.4), WAYS))
        trials = frame.loc[frame["model"] == model, "seed"].tolist()
        over = [row["expected_hypervolume"] for row in found["expected_hypervolume"] if row["by"] == model]
        assert over == pytest.approx(expected_hypervolume(points, [1, 3, 8], (5, 0.4), "unbiased", WAYS, trials))
        curves = attainment(points, trials, (0.25, 0.5, 0.75), WAYS)
        ours = [row for row in found["attainment"] if row["by"] == model]
        assert [(row["level"], row["cost"], row["score"]) for row in ours] == list(
            curves[["level", "first", "second"]].itertuples(index=False, name=None)
        )
    good = next(row for row in found["improvement"] if (row["a"], row["b"]) == ("good", "bad"))
    a, b = fronts_of(frame, "good"), fronts_of(frame, "bad")
    truth = pareto_improvement(a, b, (5, 0.4), np.random.default_rng(0), WAYS, paired=True)
    assert good["pairing"] == "paired"
    assert (good["difference"], good["lower"], good["p"]) == pytest.approx((truth.difference, truth.lower, truth.p))
    rows = [row for row in found["equal_cost"] if (row["a"], row["b"]) == ("good", "bad")]
    equal = score_at_equal_cost(a, b, [row["cost"] for row in rows], np.random.default_rng(0), paired=True)
    assert [row["difference"] for row in rows] == pytest.approx(list(equal["difference"]))
    assert (rows[0]["cost"], rows[-1]["cost"]) == (1, 4)
    assert all(row["p_holm"] >= row["p"] for row in found["equal_cost"])


def test_an_improvement_is_claimed_only_where_it_follows(command: Command, table: Path, frame: pd.DataFrame) -> None:
    asked = ("front", table, *ASKED, "--by", "model", "--trial", "seed", "--json")
    claims = json.loads(command(*asked)[1])["verdict"]
    assert claims[0].startswith("good Pareto-improves on bad")
    assert not any("Pareto-improves" in claim for claim in claims if "bad and mixed" in claim or "mixed's" in claim)
    frame[frame["seed"].isin(["0", "1", "2"])].to_csv(table, index=False)
    claims = json.loads(command(*asked)[1])["verdict"]
    assert not any("Pareto-improves" in claim for claim in claims), "three seeds cannot give a small p"
    assert "not a result" in claims[0]
    assert "at least 0.25" in claims[0]
    # One point of one seed that the other does not cover undoes it, however much larger the area.
    frame.loc[(frame["model"] == "bad") & (frame["seed"] == "3") & (frame["flops"] == 1), "flops"] = 0.5
    frame.to_csv(table, index=False)
    found = json.loads(command(*asked)[1])
    assert "Pareto-improves on bad" not in found["verdict"][0]
    assert found["improvement"][0]["improves_a"] == pytest.approx(7 / 8)
    assert found["improvement"][0]["p_holm"] < 0.05


def test_without_trials_nothing_is_said_of_how_sure_it_is(command: Command, table: Path) -> None:
    code, out, err = command("front", table, *ASKED, "--by", "model", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["equal_cost"] == []
    assert set(found["improvement"][0]) == {"a", "b", "trials_a", "trials_b", "covered_by_a", "covered_by_b"}
    assert found["verdict"][0].startswith("good's front covers bad's")
    assert not any("Pareto-improves" in claim for claim in found["verdict"])
    assert "every row counts as a trial of its own" in err
    assert "no comparison has an uncertainty" in err


def test_incomplete_rows_copies_and_crashed_trials(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "run,acc,s\na,0.9,2\nb,0.9,2\nb,,1\nc,0.95,\nd,inf,1\nd,0.5,1\ne,nan,9\n", encoding="utf-8"
    )
    code, out, err = command("front", "t.csv", "--score", "acc", "--cost", "s", "--trial", "run", "--json")
    assert code == 0
    found = json.loads(out)
    assert [(row["trial"], row["line"]) for row in found["front"]] == [("d", 7), ("a", 2), ("b", 3)], "copies stay"
    assert found["hypervolume"] == [
        {"by": "all", "trials": 5, "rows": 7, "points": 3, "on_front": 2, "hypervolume": 0.0}
    ]
    assert found["reference"] == {"score": 0.5, "cost": 2, "worst_seen": True}
    assert "1 infinite score count" in err
    assert "4 of 7 rows have no score or no cost, and are on no front" in err
    assert "the reference of hypervolumes is the worst score and the highest cost seen" in err
    assert {row["attained_by"]: row["trials"] for row in found["attainment"]} == {2: 5, 3: 5}
    assert "no place is attained by 75 % of 5 trials" in err
    over = json.loads(
        command("front", "t.csv", *("--score", "acc", "--cost", "s", "--trial", "run"), "--reference", "0,4", "--json")[
            1
        ]
    )["expected_hypervolume"]
    assert over[0]["expected_hypervolume"] == pytest.approx((2 * 0.9 * 2 + 0.5 * 3) / 5), "crashed trials add nothing"


def test_groups_are_compared_over_the_trials_they_share(command: Command, table: Path, frame: pd.DataFrame) -> None:
    frame = frame[(frame["model"] == "good") | ~frame["seed"].isin(["0", "1"])]
    frame.to_csv(table, index=False)
    code, out, err = command("front", table, *ASKED, "--by", "model", "--trial", "seed", "--json")
    assert code == 0
    row = json.loads(out)["improvement"][0]
    assert (row["pairing"], row["trials_a"], row["trials_b"], row["compared_a"], row["compared_b"]) == (
        "paired", 8, 6, 6, 6,
    )  # fmt: skip
    assert "good, bad: compared over the 6 trials with points in both groups; 2 are in one alone" in err
    frame.assign(seed=frame["model"] + frame["seed"]).to_csv(table, index=False)
    row = json.loads(command("front", table, *ASKED, "--by", "model", "--trial", "seed", "--json")[1])["improvement"][0]
    assert (row["pairing"], row["compared_a"], row["compared_b"]) == ("unpaired", 8, 6)


def test_minimize_and_what_is_printed(command: Command, table: Path, frame: pd.DataFrame) -> None:
    asked = ("front", table, *ASKED, "--trial", "seed", "--minimize")
    found = json.loads(command(*asked, "--json")[1])
    values = frame[["flops", "acc"]].to_numpy()
    assert len(found["front"]) == pareto_front(values, "min").sum() == 1, "the cheapest is the worst here"
    code, out, _ = command(*asked)
    assert code == 0
    assert out.startswith("acc (smaller is better) against flops (smaller is better)\nreference (the worst seen): acc")
    code, out, _ = command("front", table, *ASKED, "--by", "model", "--trial", "seed")
    assert code == 0
    assert "good Pareto-improves on bad" in out.splitlines()[2]
    assert len(out.splitlines()) < 70
    assert "warning: no point is better than the reference" in command("front", table, *ASKED, "--reference", "1,9")[2]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--score", "acc"], "--cost COLUMN"),
        ([], "--score COLUMN"),
        (["--score", "acc", "--cost", "flop"], "did you mean 'flops'"),
        ([*ASKED, "--reference", "0.5"], "such as 0.5,100, got '0.5'"),
        ([*ASKED, "--reference", "nan,1"], "such as 0.5,100"),
        ([*ASKED, "--levels", "0,0.5"], "shares above 0 and up to 1"),
        ([*ASKED, "--budgets", "1.5"], "whole numbers of trials"),
        ([*ASKED, "--by", "one"], "a comparison needs two groups with a point, and 'one' gives 1"),
        ([*ASKED, "--trial", "gap"], "points.csv:3: trial column 'gap' is empty here"),
        ([*ASKED, "--filter", "x"], "(--filter) is for runs at an MLflow address"),
        (["--score", "nothing", "--cost", "flops"], "no row has both a score and a cost"),
    ],
)
def test_one_mistake_one_message(command: Command, table: Path, asked: list[str], words: str) -> None:
    rows = pd.read_csv(table)
    rows.assign(one="x", nothing="", gap=["a", *[""] * (len(rows) - 1)]).to_csv(table, index=False)
    code, out, err = command("front", table, *asked)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def record(folder: Path) -> SweepTables:
    """A finished sweep of 4 configurations x 2 seeds; one seed of the last failed."""
    plan = Sweep(folder)
    plan.spec |= {"search": {"name": "random", "samples": 9}, "scheduler": {"name": "fifo"}}
    conductor = plan.open(configurations=4, scheduler={"name": "fifo"})
    Workers(conductor, fail={"c003-i1-o0": 2}).play()
    conductor.close()
    conductor.journal.close()
    return read_tables(folder)


def with_points(tables: SweepTables) -> SweepTables:
    """Three points of every trial and policy; the oracle's are the best of all."""
    alive = tables.trials[tables.trials["status"] == "finished"]
    rows: list[dict[str, Any]] = []
    for place, (trial, configuration) in enumerate(zip(alive["trial"], alive["configuration"], strict=True)):
        for policy, gain in (("static", 0.0), ("entropy", 0.05), ("oracle", 0.3)):
            rows += [
                {
                    "trial": trial, "configuration": configuration, "epoch": 9, "policy": policy, "threshold": k,
                    "score": 0.5 + 0.05 * k + 0.001 * place + gain, "inference_flops": 1e6 * k, "mean_layers": k,
                    "speed_up": 3 / k,
                }
                for k in (1.0, 2.0, 3.0)
            ]  # fmt: skip
    return SweepTables(**{**vars(tables), "operating_points": pd.DataFrame(rows)})


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepTables:
    tables = with_points(record(tmp_path / "sweep"))
    monkeypatch.setattr("greenexp.sources.tables.read_tables", lambda source: RecordedSweep(tables, Path(source)))
    return tables


def test_a_sweep_without_its_oracle(command: Command, sweep: SweepTables) -> None:
    code, out, err = command("front", "sweep", "--reference", "0,3e6", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["score"], found["cost"]) == ("dev accuracy", "inference_flops")
    assert {row["policy"] for row in found["front"]} == {"entropy"}
    assert max(row["score"] for row in found["front"]) < 0.8
    assert "21 points of policies that need the labels (the oracle) are bounds, and left out" in err
    assert "1 trials failed and have no points" in err
    # The mean of two seeds' curves over 4 configurations; the failed trial adds nothing to its seed's.
    points = sweep.operating_points[sweep.operating_points["policy"] != "oracle"]
    means = []
    for seed in ("i0", "i1"):
        rows = points[points["trial"].str.contains(seed)][["inference_flops", "score", "trial"]]
        if seed == "i1":
            rows = pd.concat([rows, pd.DataFrame({"trial": ["c003-i1-o0"]})])
        values, trials = rows[["inference_flops", "score"]].to_numpy(), rows["trial"].tolist()
        means.append(expected_hypervolume(values, [1, 2, 4], (3e6, 0.0), "unbiased", WAYS, trials))
    assert [row["expected_hypervolume"] for row in found["expected_hypervolume"]] == pytest.approx(
        np.mean(means, axis=0)
    )
    assert "the curves of 2 seeds" in err


def test_policies_and_configurations_of_a_sweep(command: Command, sweep: SweepTables) -> None:
    code, out, err = command("front", "sweep", "--by", "policy", "--json")
    assert code == 0
    found = json.loads(out)
    assert {row["by"] for row in found["hypervolume"]} == {"static", "entropy"}
    assert {row["trials"] for row in found["hypervolume"]} == {8}
    pair = found["improvement"][0]
    assert (pair["pairing"], pair["trials_a"], pair["improves_a"] + pair["improves_b"]) == ("paired", 7, 1)
    assert "not independent, so p does not hold" in found["verdict"][0], "seeds of 4 configurations are no 7 draws"
    assert "2 trials have no point; comparisons are about the others" in err
    code, out, _ = command("front", "sweep", "--by", "training.learning_rate", "--cost", "mean_layers", "--json")
    assert code == 0
    assert len(json.loads(out)["hypervolume"]) == 4
    assert "did you mean 'policy'" in command("front", "sweep", "--by", "polcy")[2]
    assert "did you mean 'mean_layers'" in command("front", "sweep", "--cost", "mean_layer")[2]
    assert "leave out minimize" in command("front", "sweep", "--minimize")[2]


def test_a_sweep_as_its_journal_has_it(command: Command, tmp_path: Path) -> None:
    record(tmp_path / "sweep")
    code, out, err = command("front", "sweep", "--json")
    assert code == 0
    assert {(row["policy"], row["trial"]) for row in json.loads(out)["front"]} == {("static", "c003-i0-o0")}
    assert "second" in err, "a front of single points is no front over trials"
    assert "leave out score" in command("front", "sweep", "--score", "acc", "--cost", "s")[2]


def test_runs_of_other_programs(command: Command, tmp_path: Path) -> None:
    address = default_uri(tmp_path / "foreign")
    client = connect(address)
    log_search(client, client.create_experiment("search"))
    asked = ("front", address, "--score", "metrics.acc", "--cost", "metrics.seconds", "--json")
    code, out, err = command(*asked, "--by", "params.model")
    assert code == 0, err
    found = json.loads(out)
    assert {row["by"]: row["points"] for row in found["hypervolume"]} == {"albert": 3, "bert": 3}
    assert {row["by"]: row["trials"] for row in found["hypervolume"]} == {"albert": 4, "bert": 4}, (
        "failed runs are trials"
    )
    assert found["improvement"][0]["pairing"] == "unpaired"
    named = json.loads(command(*asked, "--trial", "params.model")[1])
    assert named["hypervolume"][0]["trials"] == 2
    code, out, _ = command(
        "curve", address, "--score", "metrics.acc", "--test", "metrics.acc", "--best-so-far", "--json"
    )
    assert code == 0
    assert [row["test_of_winner"] for row in json.loads(out)["curve"]] == pytest.approx(
        [row["estimate"] for row in json.loads(out)["curve"]]
    )
    SqlAlchemyStore._engine_map.pop(address).dispose()
