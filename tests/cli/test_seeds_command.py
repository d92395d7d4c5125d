"""`greenexp seeds` on a table, on a recorded sweep and on MLflow runs."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_runs import log_run
from stand_ins import ASHA, Sweep, Workers

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.comparing.power import seeds_needed, smallest_difference
from greenexp.analysis.comparing.score_distribution import distribution_table
from greenexp.analysis.comparing.score_tests import compare_scores, score_tests
from greenexp.analysis.seeds.seed_budget import seed_plans
from greenexp.analysis.seeds.seed_noise import seed_noise
from greenexp.analysis.seeds.variance import seed_scores, variance_split
from greenexp.journal.tables import read_tables
from greenexp.tracking.server import connect, default_uri

with warnings.catch_warnings():  # MLflow's own imports warn
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

Command = Callable[..., tuple[int, str, str]]
RATES, SEEDS = 4, 5
COLUMNS = ["--score", "acc", "--configuration", "rate", "--seed-column", "seed"]


@pytest.fixture
def command(command: Command) -> Command:
    return functools.partial(command, "seeds")


def scores(shift: float = 0.0) -> np.ndarray:
    """[RATES, SEEDS]."""
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.01, (RATES, SEEDS))
    return 0.8 + shift + 0.02 * np.arange(RATES)[:, None] + noise + shift * noise


def frame_of(model: str, values: np.ndarray) -> pd.DataFrame:
    rows = [(model, f"r{i}", f"s{j}", values[i, j]) for i in range(values.shape[0]) for j in range(values.shape[1])]
    return pd.DataFrame(rows, columns=["model", "rate", "seed", "acc"])


@pytest.fixture
def one(tmp_path: Path) -> Path:
    path = tmp_path / "one.csv"
    frame_of("a", scores()).to_csv(path, index=False)
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Three models of one configuration each, 5 seeds."""
    path = tmp_path / "models.csv"
    parts = [frame_of(name, scores(shift)[:1]) for name, shift in (("a", 0.0), ("b", 0.05), ("c", 0.004))]
    pd.concat(parts).to_csv(path, index=False)
    return path


def test_the_split_and_what_follows_are_the_analysis_own(command: Command, one: Path) -> None:
    code, out, err = command(one, *COLUMNS, "--trials", "60", "--difference", "0.01", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    trials = pd.read_csv(one)
    split = variance_split(trials, ["seed"], "rate", "acc")
    tau, sigma = split.table["standard_deviation"]
    assert [row["standard_deviation"] for row in found["variance"]] == pytest.approx([tau, sigma])
    assert found["splits"][0]["share_lower"] == pytest.approx(split.share[0])
    plans = seed_plans(60, tau, sigma, split.mean)
    best = int(plans.loc[plans["expected_true"].idxmax(), "seeds"])
    assert found["worth"][0]["seeds_worth_having"] == best
    assert found["worth"][0]["least"] <= best <= found["worth"][0]["most"]
    for row in found["plans"]:
        same = seed_plans(60, tau, sigma, split.mean, [row["seeds"]]).iloc[0]
        assert row["expected_true"] == pytest.approx(same["expected_true"])
    for row in found["power"]:
        assert row["smallest_difference"] == pytest.approx(smallest_difference(row["seeds"], sigma))
    ends = [sigma, *np.sqrt(split.table[["lower", "upper"]].iloc[1])]
    needed = found["needed"][0]
    assert [needed[name] for name in ("seeds_needed", "if_noise_is_least", "if_noise_is_most")] == [
        seeds_needed(0.01, sd) for sd in ends
    ]
    assert "methods" not in found


def test_confidence_power_and_direction_reach_the_analysis(command: Command, one: Path) -> None:
    code, out, _ = command(one, *COLUMNS, "--confidence", "0.8", "--power", "0.9", "--minimize", "--json")
    assert code == 0
    found = json.loads(out)
    split = variance_split(pd.read_csv(one), ["seed"], "rate", "acc", confidence=0.8)
    tau, sigma = split.table["standard_deviation"]
    assert found["variance"][0]["lower"] == pytest.approx(split.table["lower"][0])
    assert found["power"][0]["smallest_difference"] == pytest.approx(
        smallest_difference(2, sigma, power=0.9, alpha=0.2)
    )
    worth = [row["expected_true"] for row in found["plans"]]
    assert worth[0] == pytest.approx(seed_plans(20, tau, sigma, split.mean, [1], True)["expected_true"][0])
    assert worth[0] < split.mean


def test_methods_are_compared_by_every_test(command: Command, models: Path) -> None:
    code, out, err = command(
        models, "--score", "acc", "--seed-column", "seed", "--by", "model", "--difference", "0.1", "--json"
    )
    assert code == 0
    found = json.loads(out)
    trials = pd.read_csv(models)
    values = {name: part["acc"].to_numpy() for name, part in trials.groupby("model")}
    rng = np.random.default_rng(1)
    truth = compare_scores(values, rng, "welch")
    for column in ("difference", "lower", "upper", "d", "superiority"):
        assert [row[column] for row in found["pairs"]] == pytest.approx(list(truth[column]))
    assert [row["epsilon_min"] for row in found["pairs"]] == pytest.approx(list(truth["epsilon_min"]), abs=0.05)
    tests = pd.DataFrame(found["tests"])
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    for name, rows in tests.groupby("test"):
        p = [score_tests(values[a], values[b], rng).set_index("test").loc[name, "p"] for a, b in pairs]
        assert rows["p"].tolist() == pytest.approx(p, nan_ok=True)
        corrected = np.where(np.isnan(p), np.nan, holm(np.nan_to_num(p, nan=1.0)))
        assert rows["p_holm"].tolist() == pytest.approx(corrected, nan_ok=True)
    assert len(found["distribution"]) == len(distribution_table(values))
    reach = {row["test"]: row for row in found["reach"]}
    assert reach["permutation"]["least_p"] == pytest.approx(2 / 252)
    assert (reach["welch"]["can_find"], reach["brunner_munzel"]["can_find"]) == (True, None)
    assert reach["permutation"]["can_find"] is True
    assert "3 pairs" in err
    spread = [values[name].std(ddof=1) for name in "ab"]
    assert found["pairs"][0]["needed"] == seeds_needed(0.1, *spread)
    assert found["pairs"][0]["smallest_difference"] == pytest.approx(smallest_difference(5, *spread))


def test_pairs_are_found_by_their_seeds_whatever_the_order(command: Command, models: Path) -> None:
    asked = ["--score", "acc", "--seed-column", "seed", "--by", "model", "--paired", "--json"]
    first = json.loads(command(models, *asked)[1])
    table = pd.read_csv(models)
    values = table.pivot_table(index="seed", columns="model", values="acc")
    truth = score_tests(values["a"], values["b"], np.random.default_rng(0), paired=True)
    assert [row["p"] for row in first["tests"][:3]] == pytest.approx(list(truth["p"]))
    table.iloc[::-1].sort_values("model", kind="stable").to_csv(models, index=False)
    code, out, err = command(models, *asked)
    assert code == 0
    assert [row["p"] for row in json.loads(out)["tests"]] == pytest.approx([row["p"] for row in first["tests"]])
    assert "sign_flip cannot find anything" in err
    assert "0.062" in err
    table.drop(index=table.index[0]).to_csv(models, index=False)
    code, out, err = command(models, *asked)
    assert "a, b: 1 scores have no partner" in err
    assert json.loads(out)["pairs"][0]["n_a"] == 4


def test_several_configurations_are_compared_by_their_means(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "both.csv"
    pd.concat([frame_of("a", scores()), frame_of("b", scores(0.05))]).to_csv(path, index=False)
    code, out, err = command(path, *COLUMNS, "--by", "model", "--json")
    assert code == 0
    assert "mean over its seeds" in err
    found = json.loads(out)
    assert found["pairs"][0]["n_a"] == RATES
    assert [row["by"] for row in found["splits"]] == ["a", "b"]
    truth = score_tests(scores().mean(axis=1), scores(0.05).mean(axis=1), np.random.default_rng(0))
    assert [row["p"] for row in found["tests"]] == pytest.approx(list(truth["p"]), nan_ok=True)


def test_remarks_selections_and_repeats_are_told(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    wild = scores() + np.random.default_rng(0).normal(0, 1, (RATES, SEEDS)) * (np.arange(RATES) == 0)[:, None]
    frame = frame_of("a", wild)
    frame.loc[3, "acc"] = np.nan
    frame.to_csv(path, index=False)
    code, _, err = command(path, *COLUMNS)
    assert code == 0
    assert "1 of 20 trials have no finite score and are left out" in err
    assert "the seed variance is not the same in all configurations" in err
    pd.concat([frame_of("a", scores())] * 2).to_csv(path, index=False)
    code, out, err = command(path, *COLUMNS, "--json")
    assert code == 0
    assert (
        "20 of 40 trials have the configuration and seeds of another trial (r0, seed s0), 20 of them also its score"
        in err
    )
    assert {row["source"] for row in json.loads(out)["variance"]} == {"configuration", "seed", "residual"}
    pd.concat([frame_of(name, scores()[:1]) for name in "aabb"]).to_csv(path, index=False)
    code, out, err = command(path, *COLUMNS, "--by", "model", "--json")
    assert (code, "pairs" in json.loads(out)) == (0, False)
    assert "10 of 20 trials have the seeds of another trial of their group" in err
    assert "not known which trials are a pair" in command(path, *COLUMNS, "--by", "model", "--paired")[2]
    code, _, err = command(path, "--score", "acc", "--configuration", "rate")
    assert code == 0
    assert "no seed column is named" in err


def test_rows_are_chosen_by_value(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pd.concat([frame_of("a", scores()), frame_of("b", scores() * 100)]).to_csv(path, index=False)
    code, out, _ = command(path, *COLUMNS, "--where", "model=a", "--json")
    assert code == 0
    assert json.loads(out)["splits"][0]["mean"] == pytest.approx(scores().mean())
    code, out, err = command(path, *COLUMNS, "--where", "model=A")
    assert (code, out) == (2, "")
    assert "no row has model = A (there are: a, b)" in err


ROWS = "rate,seed,acc,m\n1,1,0.5,x\n1,2,0.6,x\n2,1,0.7,y\n2,2,0.9,y\n"


@pytest.mark.parametrize(
    ("text", "asked", "words"),
    [
        (ROWS, ["--configuration", "rate"], "--score COLUMN"),
        (ROWS, ["--score", "acc"], "--configuration COLUMN"),
        (ROWS, ["--score", "acc", "--configuration", "rats"], "no column 'rats' (did you mean 'rate'?)"),
        (ROWS, ["--score", "acc", "--configuration", "rate", "--seed-column", "rate"], "cannot be two things at once"),
        (
            ROWS,
            [*COLUMNS, "--seed-column", "m", "--seed-column", "x"],
            "one or two columns can be told apart, received 3",
        ),
        (ROWS, [*COLUMNS, "--paired"], "needs groups"),
        (ROWS, ["--score", "acc", "--by", "m", "--paired"], "columns of the seeds"),
        (ROWS, [*COLUMNS, "--filter", "x"], "(--filter) is for runs"),
        (ROWS, [*COLUMNS, "--where", "m"], "expected COLUMN=VALUE"),
        (ROWS, [*COLUMNS, "--power", "0.05"], "the power must lie between"),
        (ROWS, [*COLUMNS, "--difference", "0"], "--difference"),
        (
            ROWS,
            ["--score", "acc", "--configuration", "seed", "--seed-column", "rate", "--where", "rate=1"],
            "no seed variance",
        ),
        ("rate,seed,acc\n1,,0.5\n1,2,0.6\n", COLUMNS, "t.csv:2: seed column 'seed' is empty here"),
        ("rate,seed,acc\n1,1,nan\n", COLUMNS, "no trial has a score"),
        (ROWS.replace("2,2,0.9,y\n", "2,2,0.9,y\n2,2,0.8,y\n"), COLUMNS, "is not complete"),
    ],
)
def test_one_mistake_one_message(command: Command, tmp_path: Path, text: str, asked: list[str], words: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    code, out, err = command("t.csv", *asked)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def recorded(folder: Path, scheduler: str, fail: dict[str, int] | None = None) -> Path:
    """A sweep of 9 configurations x 2 seeds."""
    plan = Sweep(folder)
    settings: dict[str, Any] = {"name": "fifo"} if scheduler == "fifo" else {**ASHA, "name": scheduler}
    plan.spec |= {"search": {"name": "random", "samples": 9}, "scheduler": settings}
    conductor = plan.open(configurations=9, scheduler=settings)
    Workers(conductor, fail=fail).play()
    conductor.close()
    conductor.journal.close()
    return folder


def test_a_sweep_says_itself_what_its_columns_are(command: Command, tmp_path: Path) -> None:
    whole = recorded(tmp_path / "whole", "fifo")
    code, out, err = command(whole, "--json")
    assert code == 0
    assert "9 of 9 configurations have all their seeds finished" in err
    assert "left out" not in err
    found = json.loads(out)
    assert "seeds shared by the configurations" in found["splits"][0]["design"]
    code, out, err = command(recorded(tmp_path / "sha", "sha"), "--json")
    assert code == 0
    assert "stopped. Those that remain" in err
    assert json.loads(out)["splits"][0]["configurations"] < 9
    for wrong in (["--score", "acc", "--configuration", "x"], ["--seed-column", "order_seed"], ["--minimize"]):
        assert command(whole, *wrong)[:2] == (2, "")


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    address = default_uri(tmp_path)
    yield address
    SqlAlchemyStore._engine_map.pop(address).dispose()


def test_runs_of_others_are_read_with_all_their_columns(command: Command, uri: str) -> None:
    client = connect(uri)
    experiment = client.create_experiment("search")
    table = frame_of("a", scores()[:2, :3])
    for number, row in enumerate(table.itertuples()):
        params = {"rate": row.rate, "seed": row.seed}
        log_run(client, experiment, number, metrics={"acc": row.acc}, params=params)
    log_run(client, experiment, 9, metrics={"acc": 0.1}, params={"rate": "r0", "seed": "s9"}, status="FAILED")
    asked = ["--score", "metrics.acc", "--configuration", "params.rate"]
    code, out, err = command(uri, *asked, "--seed-column", "params.seed", "--json")
    assert code == 0
    assert "1 of 7 trials have no finite score" in err
    truth = variance_split(table, ["seed"], "rate", "acc").table["variance"]
    assert [row["variance"] for row in json.loads(out)["variance"]] == pytest.approx(list(truth))
    code, _, err = command(uri, *asked, "--seed-column", "params.seeds")
    assert code == 2
    assert "params.seeds: no run" in err
    assert "did you mean 'params.seed'?" in err


def test_the_verdict_comes_first_and_the_tables_are_short(command: Command, models: Path) -> None:
    columns = ("--score", "acc", "--seed-column", "seed", "--by", "model")
    code, out, _ = command(models, *columns, "--difference", "0.01")
    assert code == 0
    heading, first, *rest = out.splitlines()
    assert heading == "acc, larger is better"
    verdicts = json.loads(command(models, *columns, "--difference", "0.01", "--json")[1])["verdict"]
    assert first == verdicts[0]
    assert "b is better than a by" in first
    assert "inf" not in out
    assert len(rest) < 40


def test_what_is_left_after_pairing_has_a_name_of_its_own(command: Command, tmp_path: Path) -> None:
    """A seed that is good for every configuration cancels in differences."""
    folder = recorded(tmp_path / "whole", "fifo")
    row = json.loads(command(folder, "--json")[1])["splits"][0]
    split = variance_split(sweep_trials(folder), shared_seeds=True)
    assert row["sd_over_seeds"] == pytest.approx(np.sqrt(split.of_one_trial))
    assert row["sd_after_pairing"] == pytest.approx(seed_noise(split).one)
    assert row["sd_after_pairing"] < row["sd_over_seeds"]


def sweep_trials(folder: Path) -> pd.DataFrame:
    return seed_scores(read_tables(folder))
