"""One reader for one table: a file and a data frame give the same scores and the same messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep

from greenexp.errors import InputError
from greenexp.records.scores import COLUMNS, Scores
from greenexp.sources.files import read_file
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.scores import read_scores

TABLE = pd.DataFrame(
    {
        "model": ["a", "a", "b", "b"],
        "seed": [1, 2, 1, 2],
        "acc": [0.5, 0.7, np.nan, 0.6],
        "test": [0.4, 0.6, 0.5, np.nan],
        "hours": [1.0, 2.0, 3.0, 4.0],
        "kind": ["x", "x", "x", "y"],
    }
)
WHOLE = ScoreRequest(score="acc", cost="hours", by="model", test="test")


def both(frame: pd.DataFrame, tmp_path: Path) -> tuple[pd.DataFrame, Path]:
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    return frame, path


@pytest.mark.parametrize("view", [View.CONFIGURATIONS, View.POINTS])
def test_a_file_and_a_frame_are_the_same_scores(tmp_path: Path, view: View) -> None:
    found = [read_scores(source, WHOLE, view) for source in both(TABLE, tmp_path)]
    numbers = ["group", "score", "cost", "test"]
    pd.testing.assert_frame_equal(found[0].frame[numbers], found[1].frame[numbers])
    for scores in found:
        assert set(COLUMNS) <= set(scores.frame)
        assert scores.frame["score"].tolist()[:2] == [0.5, 0.7]
        assert scores.groups["b"].failed == 1
        assert scores.groups["b"].costs.tolist() == [3.0, 4.0]
        assert (scores.score, scores.cost, scores.by, scores.test) == ("acc", "hours", "model", "test")


def test_trials_keep_their_seeds_and_lose_what_has_no_score(tmp_path: Path) -> None:
    request = ScoreRequest(score="acc", configuration="model", seeds=("seed",))
    for source in both(TABLE, tmp_path):
        scores = read_scores(source, request, View.TRIALS)
        assert scores.frame["configuration"].tolist() == ["a", "a", "b"]
        assert scores.frame["seed"].tolist() == ["1", "2", "2"]
        assert any("1 of 4 trials" in note for note in scores.notes)


def test_points_know_their_rows(tmp_path: Path) -> None:
    frame, path = both(TABLE, tmp_path)
    request = ScoreRequest(score="acc", cost="hours")
    assert read_scores(path, request, View.POINTS).frame["line"].tolist() == [2, 3, 4, 5]
    assert read_scores(frame, request, View.POINTS).frame["row"].tolist() == [0, 1, 2, 3]
    named = ScoreRequest(score="acc", cost="hours", trial="seed")
    assert read_scores(frame, named, View.POINTS).frame["trial"].tolist() == ["1", "2", "1", "2"]


def test_rows_by_the_value_of_a_column(tmp_path: Path) -> None:
    for source in both(TABLE, tmp_path):
        kept = read_scores(source, ScoreRequest(score="acc", where={"kind": "x", "model": "a"}))
        assert kept.frame["score"].tolist() == [0.5, 0.7]
        with pytest.raises(InputError, match="kind = z"):
            read_scores(source, ScoreRequest(score="acc", where={"kind": "z"}))
        with pytest.raises(InputError, match="all of these values together"):
            read_scores(source, ScoreRequest(score="acc", where={"kind": "y", "model": "a"}))


@pytest.mark.parametrize(
    ("request_", "view", "words"),
    [
        (ScoreRequest(score="accc"), View.CONFIGURATIONS, r"'accc'.*'acc'"),
        (ScoreRequest(), View.CONFIGURATIONS, "which column holds the scores"),
        (ScoreRequest(score="acc"), View.POINTS, "which column holds the costs"),
        (ScoreRequest(score="model"), View.CONFIGURATIONS, "must hold numbers"),
        (ScoreRequest(score="acc"), View.TRIALS, "configuration"),
        (ScoreRequest(score="acc", by="model", seeds=("seed", "kind", "hours")), View.TRIALS, "one or two columns"),
        (ScoreRequest(score="acc", by="model", seeds=("model",)), View.TRIALS, "two things at once"),
        (ScoreRequest(score="acc", by="model", seeds=("test",)), View.TRIALS, "stands for something else"),
        (ScoreRequest(score="acc", by="model", shared_seeds=True), View.TRIALS, "which trials have the same seed"),
        (ScoreRequest(score="acc", query="x"), View.CONFIGURATIONS, "runs at an MLflow address"),
    ],
)
def test_a_mistake_has_one_message_for_both(tmp_path: Path, request_: ScoreRequest, view: View, words: str) -> None:
    for source in both(TABLE, tmp_path):
        with pytest.raises(InputError, match=words):
            read_scores(source, request_, view)


def test_places_are_named(tmp_path: Path) -> None:
    frame, path = both(TABLE.assign(hours=[1, 2, 0, 4], kind=["x", None, "x", "y"]), tmp_path)
    with pytest.raises(InputError, match=r"t\.csv:4: cost column 'hours': 1 of 4 costs .*\(here: 0\)"):
        read_scores(path, WHOLE)
    with pytest.raises(InputError, match=r"row 2: cost column 'hours'"):
        read_scores(frame, WHOLE)
    empty = ScoreRequest(score="acc", configuration="kind", seeds=("seed",))
    with pytest.raises(InputError, match=r"t\.csv:3: configuration column 'kind'.*1 of 4"):
        read_scores(path, empty, View.TRIALS)
    with pytest.raises(InputError, match=r"row 1: configuration column 'kind'"):
        read_scores(frame, empty, View.TRIALS)


def test_a_line_ends_where_a_line_ends(tmp_path: Path) -> None:
    """U+2028, U+0085 and a vertical tab end lines in Unicode, and none in a table."""
    path = tmp_path / "scores.csv"
    text = 'name,accuracy\na\u2028b\x85c\x0bd,0.5\r\n"in\ntwo",0.6\nlast,wrong\n'
    path.write_bytes(text.encode())
    cells = read_file(path)
    assert [row[0] for row in cells.rows] == ["a\u2028b\x85c\x0bd", "in\ntwo", "last"]
    assert cells.places == [2, 4, 5]


def test_a_header_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,0.5,3\nb,0.6,4\n")
    with pytest.raises(InputError, match="header seems to be missing"):
        read_scores(tmp_path / "t.csv", ScoreRequest(score="accuracy"))
    with pytest.raises(InputError, match="header seems to be missing"):
        read_scores(pd.DataFrame([["a", 0.5]]), ScoreRequest(score="accuracy"))


def test_an_infinite_score_is_none() -> None:
    scores = read_scores(TABLE.assign(acc=[np.inf, 0.5, 0.6, -np.inf]), ScoreRequest(score="acc"))
    assert scores.groups["all"].failed == 2
    assert any("2 infinite scores" in note for note in scores.notes)


def test_several_sources_are_groups_named_after_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        TABLE.to_csv(tmp_path / f"{name}.csv", index=False)
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    assert list(read_scores(paths, ScoreRequest(score="acc")).groups) == ["one", "two"]
    named = read_scores({"first": paths[0], "second": TABLE}, ScoreRequest(score="acc", by="model"))
    assert list(named.groups) == ["first: a", "first: b", "second: a", "second: b"]
    with pytest.raises(InputError, match="named twice"):
        read_scores([paths[0], paths[0]], ScoreRequest(score="acc"))


def test_scores_that_have_been_read_stay_as_they_are() -> None:
    scores = read_scores(TABLE, WHOLE)
    assert read_scores(scores) is scores
    with pytest.raises(InputError, match="read already: leave out score"):
        read_scores(scores, ScoreRequest(score="acc"))


def views_of_a_sweep(tables: object) -> list[Scores]:
    return [read_scores(tables, view=view) for view in (View.CONFIGURATIONS, View.TRIALS)]


def test_the_views_of_a_sweep() -> None:
    tables = sweep(4, 3)
    configurations, trials = views_of_a_sweep(tables)
    means = tables.trials.groupby("configuration")["score"].mean()
    assert configurations.frame["score"].tolist() == pytest.approx(list(means))
    assert len(trials.frame) == 12
    assert trials.shared_seeds
    assert trials.frame.groupby("configuration")["score"].mean().tolist() == pytest.approx(list(means))
    paid = read_scores(tables, ScoreRequest(cost="train_flops", by="training.learning_rate"))
    totals = tables.trials.groupby("configuration")["train_flops"].sum()
    assert paid.frame["cost"].tolist() == pytest.approx(list(totals))
    assert len(paid.groups) == 4
    assert configurations.measured[0].task == "clauses"


def test_a_grid_gives_no_draws_and_says_why() -> None:
    scores = read_scores(sweep(search="grid"))
    assert scores.frame.empty
    assert "grid" in scores.not_random


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ScoreRequest(score="acc"), "leave out score"),
        (ScoreRequest(minimize=True), "leave out minimize"),
        (ScoreRequest(test="acc"), "only its chosen configuration"),
        (ScoreRequest(by="learning_rate"), "not a searched field"),
        (ScoreRequest(cost="train_flop"), "'train_flops'"),
    ],
)
def test_what_a_sweep_says_itself(request_: ScoreRequest, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_scores(sweep(), request_)
