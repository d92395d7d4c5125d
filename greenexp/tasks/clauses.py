"""Generated sentences of graded difficulty: needs no download, and rewards depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from greenexp.errors import InputError
from greenexp.tasks.data import Split, TaskData

# fmt: off
SUBJECTS = (
    "plot", "acting", "music", "script", "cast", "pacing", "ending", "dialogue", "camera", "editing", "humour", "story",
    "film", "scenery", "score", "setting",
)
COPULAS = ("is", "was", "seems", "feels", "looks", "stays")
DEGREES = ("", "really", "very", "so", "truly", "quite")
NEGATIONS = ("not", "never", "hardly")
ADJECTIVES = (
    (
        "dull", "awful", "clumsy", "tedious", "weak", "bland", "sloppy", "boring",
        "dreadful", "stale", "lifeless", "shallow", "hollow", "messy", "ugly", "tired",
    ),
    (
        "clever", "superb", "fluent", "gripping", "strong", "vivid", "crisp", "charming",
        "great", "fresh", "lively", "deep", "moving", "tidy", "elegant", "witty",
    ),
)
# fmt: on
LEVELS = ("plain", "negated", "contrast", "concession")
LABEL_NAMES = ("negative", "positive")

# Of 20 sentences, how many fall on each level and label. Plain ones most often: what adjectives mean alone must show,
# or negation cancels it and learning starts late.
_PER_20 = (4, 2, 2, 2)
_ONE_IN = 4
"""The share of negated clauses in levels 2 and 3 is one over this."""
_CLAUSES = len(SUBJECTS) * len(COPULAS) * len(DEGREES) * len(ADJECTIVES[0])
"""Clauses of one polarity and one negation."""


@dataclass(frozen=True, slots=True)
class Clauses:
    """Polarity of sentences made by a template grammar of 66 words, in four levels of difficulty.

    Level 0, plain: `the plot is clever` is positive. Level 1, negated: `the plot is never clever` is negative.
    Level 2, contrast: `the plot is clever but the cast seems dull` has the polarity of what follows `but`. Level 3,
    concession: `although the plot is clever , the cast seems dull`, or the clauses the other way round, has the
    polarity of the clause without `although`. In levels 2 and 3 the clauses have opposite polarities and each is
    negated in one case of four, so that both labels have the same bags of words there: only word order tells.

    In every split two fifths of the sentences are plain, a fifth each belongs to the other levels, and half of every
    level is positive (as far as the split's size divides by 20). No sentence occurs twice, within a split or across.
    Same fields, same sentences. The level is in `columns["level"]`.

    train, dev, test: numbers of sentences; seed: draws them
    """

    train: int = 2000
    dev: int = 500
    test: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "dev", "test"):
            if getattr(self, name) < 20:
                raise InputError(f"clauses: {name} is {getattr(self, name)}: at least 20, for all levels and labels")
        if self.seed < 0:
            raise InputError(f"clauses: seed is {self.seed}: expected 0 or more")

    def load(self) -> TaskData:
        """Draw the sentences. Raises InputError when a level has fewer distinct sentences than asked for."""
        sizes = (self.train, self.dev, self.test)
        counts = np.array([_cell_counts(size) for size in sizes])
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, 0xC1A5E5)))
        cells: list[list[tuple[str, int, int]]] = [[], [], []]
        for cell in range(8):
            level, label = divmod(cell, 2)
            texts = _distinct(level, label, int(counts[:, cell].sum()), rng)
            for rows, count in zip(cells, counts[:, cell], strict=True):
                rows.extend((next(texts), label, level) for _ in range(count))
        train, dev, test = (_split(rows, rng) for rows in cells)
        return TaskData(
            train=train,
            dev=dev,
            test=test,
            num_labels=2,
            label_names=LABEL_NAMES,
            metrics=("accuracy",),
            description=f"generated sentences of graded difficulty, levels {', '.join(LEVELS)}",
        )


def capacity(level: int) -> int:
    """How many sentences a level offers for each label."""
    return (_CLAUSES, len(NEGATIONS) * _CLAUSES, _CLAUSES**2, 2 * _CLAUSES**2)[level]


def _cell_counts(size: int) -> list[int]:
    """How many of `size` sentences fall on each cell (level x label): their shares, the rest to the first cells."""
    counts = [size * _PER_20[cell // 2] // 20 for cell in range(8)]
    rest = size - sum(counts)
    return [count + (cell < rest) for cell, count in enumerate(counts)]


def _distinct(level: int, label: int, count: int, rng: np.random.Generator) -> Iterator[str]:
    """`count` different sentences: different numbers below `capacity`, each read as mixed-radix choices of words."""
    if count > capacity(level):
        raise InputError(
            f"clauses: {count:,} {LABEL_NAMES[label]} sentences of level {level} ({LEVELS[level]}) were asked for over "
            f"all splits, the grammar has {capacity(level):,}: ask for at most {5 * _CLAUSES:,} sentences in all"
        )
    for number in rng.choice(capacity(level), size=count, replace=False):
        yield _sentence(level, label, int(number), rng)


def _sentence(level: int, label: int, number: int, rng: np.random.Generator) -> str:
    """The sentence of this number. Subjects, copulas, degrees, adjectives and form say the number: none recurs."""
    number, plain = divmod(number, _CLAUSES)
    if level < 2:
        return _clause(label, plain, NEGATIONS[number] if level else "")
    side, other_plain = divmod(number, _CLAUSES)
    main = _clause(label, plain, _maybe_negation(rng))
    other = _clause(1 - label, other_plain, _maybe_negation(rng))
    if level == 2:
        return f"{other} but {main}"
    return f"although {other} , {main}" if side else f"{main} although {other}"


def _maybe_negation(rng: np.random.Generator) -> str:
    return NEGATIONS[rng.integers(len(NEGATIONS))] if rng.integers(_ONE_IN) == 0 else ""


def _clause(polarity: int, number: int, negation: str) -> str:
    """The clause of this polarity and number, negated if `negation` is a word."""
    number, subject = divmod(number, len(SUBJECTS))
    number, copula = divmod(number, len(COPULAS))
    adjective, degree = divmod(number, len(DEGREES))
    side = 1 - polarity if negation else polarity
    chosen = (SUBJECTS[subject], COPULAS[copula], negation, DEGREES[degree], ADJECTIVES[side][adjective])
    return " ".join(("the", *filter(None, chosen)))


def _split(rows: list[tuple[str, int, int]], rng: np.random.Generator) -> Split:
    """The rows in random order."""
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    return Split(
        texts=tuple(text for text, _, _ in shuffled),
        labels=np.array([label for _, label, _ in shuffled], dtype=np.int64),
        columns={"level": np.array([level for _, _, level in shuffled], dtype=np.int64)},
    )
