"""All seeds of a sweep from one tree."""

from __future__ import annotations

from itertools import product

import numpy as np

from greenexp.records.sections import Seeds
from greenexp.records.trial import Fold, TrialSeeds

_INITIALISATION, _ORDER = 0, 1
"""First branch of the tree below the root."""


def seed_list(root: int, branch: int, count: int) -> tuple[int, ...]:
    """`count` different 32-bit seeds: the i-th is the state of child (branch, i) of SeedSequence(root).

    A longer list begins with the shorter one.
    """
    seeds: list[int] = []
    for i in range(count):
        words = 1
        # Two children of one tree rarely share a word; if they do, the later one takes its next.
        while True:
            child = np.random.SeedSequence(entropy=root, spawn_key=(branch, i))
            seed = int(child.generate_state(words, np.uint32)[-1])
            if seed not in seeds:
                break
            words += 1
        seeds.append(seed)
    return tuple(seeds)


def repetitions(seeds: Seeds) -> tuple[tuple[str, TrialSeeds, Fold | None], ...]:
    """(name `i1-o0` or `i1-o0-f2`, seeds, fold) of each trial of a configuration, the fold varying fastest."""
    folds = [None] if seeds.folds is None else [Fold(number, seeds.folds) for number in range(seeds.folds)]
    return tuple(
        (f"i{i}-o{o}" if fold is None else f"i{i}-o{o}-f{fold.number}", pair, fold)
        for i, o, pair in seed_pairs(seeds)
        for fold in folds
    )


def seed_pairs(seeds: Seeds) -> tuple[tuple[int, int, TrialSeeds], ...]:
    """(number of the initialisation seed, number of the order seed, the seeds) of each trial of a configuration.

    Crossed: all pairs, the order seed varying fastest; paired: the i-th of each.
    """
    initialisation = seed_list(seeds.root, _INITIALISATION, seeds.initialisation)
    order = seed_list(seeds.root, _ORDER, seeds.order)
    numbers = (
        [(i, i) for i in range(seeds.initialisation)]
        if seeds.design == "paired"
        else list(product(range(seeds.initialisation), range(seeds.order)))
    )
    return tuple((i, o, TrialSeeds(initialisation[i], order[o])) for i, o in numbers)
