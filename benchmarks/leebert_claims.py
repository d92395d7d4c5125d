"""LeeBERT's claims (Zhu 2021) as pairs of configurations, and what comparisons of these pairs say about them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.analysis.comparing.paired_comparisons import BETTER, SAME, WORSE

METHOD, TEACHERS, WEIGHTS, LAYERS = "method.name", "method.teachers", "method.weights", "method.layers"
Pair = tuple[str, str]


@dataclass(frozen=True)
class Chain:
    """`levels`, best first: the values of `field` at each, all other fields of the method being equal."""

    text: str
    field: str
    levels: tuple[tuple[str, ...], ...]


CHAINS = (
    Chain("LAE >= LLE >= last", TEACHERS, (("all",), ("later",), ("last",))),
    Chain("CLO >= BLO >= SLO >= uniform >= random", WEIGHTS,
          (("clo-v1", "clo-v2"), ("blo",), ("slo",), ("uniform",), ("random",))),
)  # fmt: skip
ALIKE = ("CLO-v2 ~ CLO-v1", WEIGHTS, "clo-v2", "clo-v1")
RANKING = "LeeBERT >= FastBERT >= PABEE >= Shallow-Deep, DeeBERT >= half of the layers"


@dataclass(frozen=True)
class Claimed:
    """One chain among configurations that differ in nothing else of the method.

    held: the other settings, in words; adjacent: (better, worse) of neighbouring levels that there are; ends: first
    level and last, if there are levels between
    """

    text: str
    held: str
    adjacent: tuple[Pair, ...]
    ends: tuple[Pair, ...] = ()

    @property
    def title(self) -> str:
        """The claim and what is held."""
        return f"{self.text} ({self.held})" if self.held else self.text

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All of them."""
        return self.adjacent + self.ends


def chains(settings: pd.DataFrame) -> list[Claimed]:
    """The chains that this sweep has at least two levels of. settings: of the configurations, by their names."""
    return [claimed for chain in CHAINS for claimed in _of(chain, settings)]


def _of(chain: Chain, settings: pd.DataFrame) -> Iterator[Claimed]:
    for held, members in _alike_but(chain.field, settings):
        levels = [[members[value] for value in level if value in members] for level in chain.levels]
        yield from _claimed(chain.text, held, [level for level in levels if level])


def _claimed(text: str, held: str, levels: list[list[str]]) -> Iterator[Claimed]:
    adjacent = tuple(pair for better, worse in itertools.pairwise(levels) for pair in itertools.product(better, worse))
    if adjacent:
        ends = tuple(itertools.product(levels[0], levels[-1])) if len(levels) > 2 else ()
        yield Claimed(text, held, adjacent, ends)


def _alike_but(field: str, settings: pd.DataFrame) -> Iterator[tuple[str, dict[str, str]]]:
    """The other settings of the method in words, and value of `field` -> configuration, of LeeBERT's configurations."""
    ours = settings[settings[METHOD] == "leebert"]
    others = [name for name in ours if name.startswith("method.") and name not in (METHOD, field)]
    groups: dict[str, dict[str, str]] = {}
    for name, row in ours.iterrows() if field in ours else ():
        held = ", ".join(f"{other.removeprefix('method.')} {row[other]}" for other in others if row[other] is not None)
        groups.setdefault(held, {}).setdefault(str(row[field]), str(name))
    yield from groups.items()


def alike(settings: pd.DataFrame) -> list[Claimed]:
    """Pairs said to be the same."""
    text, field, a, b = ALIKE
    groups = _alike_but(field, settings)
    return [Claimed(text, held, ((found[a], found[b]),)) for held, found in groups if a in found and b in found]


def ranking(settings: pd.DataFrame, depth: int) -> list[Claimed]:
    """The paper's table of methods at half the layers, as far as this sweep has them."""
    wanted: list[list[Mapping[str, Any]]] = [
        [{METHOD: "leebert", TEACHERS: "all", WEIGHTS: "clo-v2"}],
        [{METHOD: "fastbert"}],
        [{METHOD: "pabee"}],
        [{METHOD: "shallow_deep"}, {METHOD: "deebert"}],
        [{METHOD: "finetune", LAYERS: depth // 2}],
    ]
    levels = [[name for condition in level for name in _meeting(condition, settings)] for level in wanted]
    return list(_claimed(RANKING, "at 2x", [level for level in levels if level]))


def _meeting(condition: Mapping[str, Any], settings: pd.DataFrame) -> list[str]:
    met = [all(row.get(field) == value for field, value in condition.items()) for _, row in settings.iterrows()]
    return [str(name) for name in settings.index[met]]


VERDICT = {BETTER: "holds", WORSE: "does not hold", SAME: "same"}


def verdict(finding: str) -> str:
    """Of one pair `a >= b`: holds, does not hold, same (within the margin) or not resolved."""
    return VERDICT.get(finding, "not resolved")


def verdict_alike(row: Any, margin: float, alpha: float = 0.05) -> str:
    """Of one pair `a ~ b`: holds (equivalent within the margin), does not hold (outside it), or not resolved."""
    if row["p_same_holm"] <= alpha:
        return "holds"
    return "does not hold" if row["lower"] > margin or row["upper"] < -margin else "not resolved"


def verdict_of_chain(verdicts: list[str], ends: list[str]) -> str:
    """Of a chain from its neighbours' and ends': one that does not hold breaks it; to hold, all must be resolved."""
    if "does not hold" in verdicts + ends:
        return "does not hold"
    if "not resolved" in verdicts:
        return "not resolved"
    return "holds" if "holds" in verdicts else "same"
