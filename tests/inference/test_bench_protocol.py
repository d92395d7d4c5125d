"""Who is timed when: warm-ups, turns, waiting for the device. Nothing here looks at a real clock."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from bench_stand_ins import MadeClock, of_lengths

from greenexp.errors import InputError
from greenexp.inference.bench import Protocol, Stopwatch, fixed_threads, interleave, requests_of, time_tokenisation
from greenexp.inference.bench.protocol import best


def test_a_time_is_from_an_idle_device_to_an_idle_device() -> None:
    clock = MadeClock()

    def synchronise() -> None:
        clock.log.append(("synchronise", 0))
        clock.now_s += 10 * clock.log.count(("launch", 0))  # what was launched is still being computed

    watch = Stopwatch(lambda: clock.now_s, synchronise)
    clock.now_s = 5.0
    assert watch.seconds(lambda: clock.log.append(("launch", 0))) == 10.0
    assert [what for what, _ in clock.log] == ["synchronise", "launch", "synchronise"]


def test_everybody_answers_every_request_in_every_repeat_and_times_go_where_they_belong() -> None:
    clock = MadeClock()
    slow = clock.contestant("slow", lambda request: 2.0 * len(request[0].ids))
    fast = clock.contestant("fast", lambda request: 0.5 * len(request[0].ids))
    requests = requests_of(of_lengths(3, 5, 4), 1)
    timings = interleave([slow, fast], requests, Protocol(repeats=2, warm_ups=1, turn=2), clock.stopwatch())
    assert timings.contestants == ("slow", "fast")
    np.testing.assert_array_equal(timings.seconds, [[[6, 10, 8]] * 2, [[1.5, 2.5, 2]] * 2])
    np.testing.assert_array_equal(timings.examples, [1, 1, 1])


def test_turns_alternate_within_a_repeat_and_begin_with_an_untimed_request() -> None:
    clock = MadeClock()
    both = [clock.contestant(name, lambda _: 1.0) for name in "ab"]
    interleave(both, requests_of(of_lengths(3, 5, 4), 1), Protocol(repeats=2, warm_ups=1, turn=2), clock.stopwatch())
    warm = [("a", 3), ("a", 5), ("a", 4), ("b", 3), ("b", 5), ("b", 4)]
    turns = [
        [("a", 3), ("a", 3), ("a", 5)], [("b", 3), ("b", 3), ("b", 5)], [("b", 4)], [("a", 4)],
        [("b", 3), ("b", 3), ("b", 5)], [("a", 3), ("a", 3), ("a", 5)], [("a", 4)], [("b", 4)],
    ]  # fmt: skip
    assert clock.answered == [*warm, *(entry for turn in turns for entry in turn)]


def test_every_shape_is_warmed_up_by_everybody() -> None:
    clock = MadeClock()
    both = [clock.contestant(name, lambda _: 0.001) for name in "ab"]
    protocol = Protocol(repeats=1, warm_ups=20, turn=1)
    timings = interleave(both, requests_of(of_lengths(3, 5, 3), 1), protocol, clock.stopwatch())
    counts = Counter(clock.answered)
    assert timings.warm_ups == 20
    assert counts == {("a", 3): 22, ("a", 5): 21, ("b", 3): 22, ("b", 5): 21}


def test_long_warm_ups_are_cut_short_and_the_fewest_is_told() -> None:
    clock = MadeClock()
    one = clock.contestant("a", lambda request: 0.3 if len(request[0].ids) == 5 else 0.0)
    timings = interleave([one], requests_of(of_lengths(3, 5), 1), Protocol(repeats=1), clock.stopwatch())
    assert timings.warm_ups == 3
    assert Counter(clock.answered)[("a", 3)] == 20 + 1 + 1


def test_batches_are_of_like_lengths_and_full() -> None:
    batches = requests_of(of_lengths(9, 2, 7, 4, 5), 2)
    assert [[len(one.ids) for one in batch] for batch in batches] == [[2, 4], [5, 7]]
    assert [len(batch) for batch in requests_of(of_lengths(9, 2, 7), 8)] == [3]
    assert [[len(one.ids) for one in batch] for batch in requests_of(of_lengths(9, 2), 1)] == [[9], [2]]


def test_the_best_is_that_with_the_shortest_times() -> None:
    clock = MadeClock()
    slow, fast = clock.contestant("slow", lambda _: 2.0), clock.contestant("fast", lambda _: 1.0)
    protocol = Protocol(repeats=2, warm_ups=1, least_warm_ups=1)
    assert best([slow, fast], requests_of(of_lengths(3), 1), protocol, clock.stopwatch()) is fast


@pytest.mark.parametrize("field", ["repeats", "warm_ups", "least_warm_ups", "turn"])
def test_a_protocol_without_any_is_refused(field: str) -> None:
    with pytest.raises(InputError, match=f"{field} is 0"):
        Protocol(**{field: 0})


def test_nothing_to_time_is_refused() -> None:
    clock = MadeClock()
    with pytest.raises(InputError, match="nothing to time"):
        interleave([], requests_of(of_lengths(3), 1), Protocol(), clock.stopwatch())
    with pytest.raises(InputError, match="nothing to time"):
        interleave([clock.contestant("a", lambda _: 1.0)], [], Protocol(), clock.stopwatch())
    with pytest.raises(InputError, match="batch_size is 0"):
        requests_of(of_lengths(3), 0)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with fixed_threads(before + 1) as used:
        assert (used, torch.get_num_threads()) == (before + 1, before + 1)
    assert torch.get_num_threads() == before
    with fixed_threads(None) as used:
        assert used == before


def test_texts_are_tokenised_one_at_a_time() -> None:
    clock = MadeClock()

    def encode(texts: list[str]) -> None:
        clock.now_s += float(len(texts[0])) if len(texts) == 1 else 1e9

    found = time_tokenisation(encode, ["a", "ccc", "bb"], 4, clock.stopwatch())  # type: ignore[arg-type]
    assert (found.p50_s, found.mean_s) == (2.0, 2.0)
    assert 2.9 < found.p99_s <= 3.0
    with pytest.raises(InputError, match="no texts"):
        time_tokenisation(encode, [], 4, clock.stopwatch())  # type: ignore[arg-type]
