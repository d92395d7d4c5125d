"""The arithmetic of a benchmark on made timings and answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench_stand_ins import of_lengths
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import InputError
from greenexp.inference import Answer
from greenexp.inference.bench import Ratio, ratio, speeds
from greenexp.inference.bench.contest import result_of
from greenexp.inference.bench.contestants import ENGINE, EVERY_EXIT, NO_EXITS
from greenexp.inference.bench.latency import spread_lengths, table_of
from greenexp.inference.bench.plain import NAME as PLAIN
from greenexp.inference.bench.protocol import Timings


def timings_of(seconds: dict[str, Any], examples: Any) -> Timings:
    return Timings(tuple(seconds), np.array(list(seconds.values()), dtype=float), np.array(examples), 20)


def test_speeds() -> None:
    timings = timings_of({"a": [[1, 2, 3], [5, 4, 6]], "b": [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]}, [2, 2, 1])
    a, b = speeds(timings)
    assert (a.contestant, a.p50_s, a.mean_s) == ("a", 3.5, 3.5)
    assert (a.p90_s, a.p99_s) == pytest.approx((5.5, 5.95))
    assert a.examples_per_s == pytest.approx(10 / 21)  # 5 examples, twice, in 21 s
    assert b.examples_per_s == pytest.approx(10 / 3)
    assert (b.p50_s, b.p99_s) == (0.5, 0.5)


def test_a_ratio_is_of_totals_in_a_repeat_and_of_shortest_times() -> None:
    slow, fast = [[4, 6], [9, 9], [2, 28]], [[2, 3], [3, 3], [5, 5]]
    found = ratio(timings_of({"fast": fast, "slow": slow}, [1, 1]), "slow", "fast")
    assert found == Ratio(median=3.0, low=2.0, high=3.0, of_minima=(2 + 6) / (2 + 3))


times = st.lists(st.lists(st.floats(1e-4, 10), min_size=2, max_size=2), min_size=3, max_size=3)


@given(times, times)
def test_a_ratio_turned_round_is_its_inverse(first: list[list[float]], second: list[list[float]]) -> None:
    timings = timings_of({"a": first, "b": second}, [1, 1])
    there, back = ratio(timings, "a", "b"), ratio(timings, "b", "a")
    assert there.low <= there.median <= there.high
    pairs = ((there.median, back.median), (there.low, back.high), (there.of_minima, back.of_minima))
    assert [x * y for x, y in pairs] == pytest.approx([1, 1, 1])


def an_answer(layer: int, flops: int, prediction: float = 1) -> Answer:
    return Answer(prediction, None, layer // 3, layer, 0.9, (0.0, 1.0), flops)


def a_result(stayed: list[Answer], said: list[float], layers: int = 12) -> Any:
    timings = timings_of(
        {ENGINE: [[1.0, 1.0]], NO_EXITS: [[1.5, 1.5]], EVERY_EXIT: [[1.53, 1.53]], PLAIN: [[1.8, 1.8]]}, [2, 2]
    )
    left = [an_answer(3, 310), an_answer(3, 310), an_answer(6, 620), an_answer(12, 1240)]
    return result_of(timings, left, stayed, said, "sdpa", ("sdpa", "eager"), layers)


def test_what_is_saved_is_counted_three_ways() -> None:
    found = a_result([an_answer(12, 1200)] * 4, [1, 1, 0, 1])
    assert found.saved.layers == 2.0  # 12 layers / a mean of 6
    assert found.saved.flops == pytest.approx(4800 / 2480)
    assert found.saved.wall_clock.median == 1.5
    assert found.exits_cost.median == pytest.approx(1.02)
    assert found.plain_over_engine.median == pytest.approx(1.8)
    assert found.plain_over_no_exits.median == pytest.approx(1.2)
    assert found.exit_shares == {1: 0.5, 2: 0.25, 4: 0.25}
    assert (found.batch_size, found.requests, found.warm_ups) == (2, 2, 20)
    assert found.plain_agrees == 0.75


def test_layers_are_those_of_the_whole_encoder_where_its_last_exit_was_not_trained() -> None:
    found = a_result([an_answer(12, 1200)] * 4, [1, 1, 0, 1], layers=18)
    assert found.saved.layers == 3.0  # 18 layers / a mean of 6
    assert found.saved.flops == pytest.approx(4800 / 2480), "of the engine that runs up to the last trained exit"


def test_values_agree_up_to_rounding() -> None:
    stayed = [an_answer(12, 1200, value) for value in (2.0, 0.0, -1.0, 3.0)]
    assert a_result(stayed, [2.0001, 0.0001, -1.0, 3.1]).plain_agrees == 0.75


def test_the_latency_table_holds_medians() -> None:
    timings = timings_of({"2": [[1, 4], [3, 8], [2, 5]], "4": [[5, 9], [5, 7], [6, 8]]}, [1, 1])
    table = table_of(timings, [2, 4], [16, 32], "a CPU", 1, "fp32")
    np.testing.assert_array_equal(table.seconds, [[2, 5], [5, 8]])
    assert (table.exits.tolist(), table.lengths.tolist()) == ([2, 4], [16, 32])


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40), st.integers(2, 9))
def test_lengths_of_the_table_are_few_and_reach_both_ends(lengths: list[int], most: int) -> None:
    found = [len(one.ids) for one in spread_lengths(of_lengths(*lengths), most)]
    assert found == sorted(set(found))
    assert set(found) <= set(lengths)
    assert (found[0], found[-1]) == (min(lengths), max(lengths))
    assert len(found) <= most


def test_no_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="no examples"):
        spread_lengths([])
