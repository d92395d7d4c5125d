"""One seed tree: same seeds for all configurations, and longer lists begin with the shorter ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from greenexp.plan.seeds import seed_list, seed_pairs
from greenexp.records.sections import Seeds

roots = st.integers(0, 2**63 - 1)


@given(roots, st.integers(0, 1), st.integers(1, 20), st.integers(1, 20))
def test_more_seeds_keep_the_earlier_ones(root: int, branch: int, fewer: int, more: int) -> None:
    assert seed_list(root, branch, fewer + more)[:fewer] == seed_list(root, branch, fewer)


@given(roots, st.integers(1, 50))
def test_seeds_differ_and_fit_into_32_bits(root: int, count: int) -> None:
    seeds = seed_list(root, 0, count)
    assert len(set(seeds)) == count
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_equal_words_are_drawn_again(monkeypatch: object) -> None:
    class Child:
        def __init__(self, entropy: int, spawn_key: tuple[int, int]) -> None:
            self.i = spawn_key[1]

        def generate_state(self, words: int, kind: object) -> list[int]:
            return [7, 7, self.i][:words]

    import greenexp.plan.seeds as module

    monkeypatch.setattr(module.np.random, "SeedSequence", Child)  # type: ignore[attr-defined]
    assert seed_list(0, 0, 3) == (7, 1, 2)


def test_the_two_kinds_of_seeds_and_two_roots_differ() -> None:
    assert not set(seed_list(0, 0, 50)) & set(seed_list(0, 1, 50))
    assert not set(seed_list(0, 0, 50)) & set(seed_list(1, 0, 50))


def test_the_tree_is_part_of_the_format() -> None:
    """Changing it would make every published sweep another one."""
    assert seed_list(0, 0, 2) == (4088532484, 3581274545)
    assert seed_list(0, 1, 1) == (3953331965,)


def test_crossed_and_paired() -> None:
    crossed = seed_pairs(Seeds(initialisation=2, order=3))
    assert [(i, o) for i, o, _ in crossed] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    paired = seed_pairs(Seeds(initialisation=3, order=3, design="paired"))
    assert [(i, o) for i, o, _ in paired] == [(0, 0), (1, 1), (2, 2)]
    assert paired[1][2].initialisation == crossed[3][2].initialisation
    assert paired[1][2].order == crossed[1][2].order
