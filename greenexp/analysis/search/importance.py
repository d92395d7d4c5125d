"""Which hyperparameters decided whether a configuration came out among the best: PED-ANOVA, by optuna.

With p_top the density of a hyperparameter among the best tenth of the configurations, and p_all that among all of them,
both estimated by kernels on a grid over the search space, its importance is the Pearson divergence

    v = sum_x p_all(x) (p_top(x) / p_all(x) - 1)^2

(Watanabe et al. 2023, "PED-ANOVA", IJCAI; optuna's `PedAnovaImportanceEvaluator`), here as a share of the sum over all
hyperparameters. Each is looked at alone: what matters only together with another shows up little or not at all.

From few configurations every hyperparameter gets some share. So beside it stands `by_chance`: of `PERMUTATIONS` random
assignments of the scores to the configurations, and the one at hand, the share in which the divergence of this
hyperparameter is at least as large (Phipson & Smyth 2010). That is for one hyperparameter; with many, some look
important. The top tenth must hold 5 configurations at least, as optuna's documentation advises: below 50 it is refused.

Fields with conditions (`when`) are left out: a configuration without the field has no value of it to be compared.

Assumptions: configurations cover the space as the search file says, as a random search or a grid does. A configuration
whose seeds were all stopped early counts with its best so far, which hardly matters as to who is in the top tenth.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.numbers.rounding import lowered
from greenexp.analysis.search.search_space import ranked_configurations
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.search_space import Choice, Distribution, Int, LogUniform
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.records.values import coordinate

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

IMPORTANCE_COLUMNS = ("parameter", "importance", "by_chance")
FEWEST = 50
PERMUTATIONS = 99


@dataclass(frozen=True, eq=False)
class Importance:
    """Importance of each searched hyperparameter, or why there is none.

    table: parameter, importance (share of the sum, 0 to 1), by_chance (0 to 1), most important first; empty if refused
    refusal: the reason, or ""; configurations: how many it rests on; without_score: how many are left out
    """

    table: pd.DataFrame
    refusal: str
    configurations: int
    without_score: int


def importance(tables: SweepTables, rng: np.random.Generator) -> Importance:
    """Importance of the searched hyperparameters over the configurations that have a mean score; see the module.

    rng: permutes the scores.
    """
    ranked = ranked_configurations(tables)
    left = tables.trials["configuration"].nunique() - len(ranked)
    space = {path: d for path, d in tables.spec.space.items() if PARAMS + path in ranked and not d.when}
    refusal = _refusal(len(ranked), space)
    if refusal:
        return Importance(pd.DataFrame(columns=list(IMPORTANCE_COLUMNS)), refusal, len(ranked), left)
    loss = ranked["score_mean"].to_numpy(dtype=np.float64) * (1.0 if metric_of(tables).minimize else -1.0)
    study = _study(ranked, space)
    observed = _divergences(study, loss, list(space))
    as_large = np.ones(len(space))
    for _ in range(PERMUTATIONS):
        as_large += _divergences(study, rng.permutation(loss), list(space)) >= lowered(observed)
    total = observed.sum()
    columns = (list(space), observed / total if total > 0 else observed, as_large / (PERMUTATIONS + 1))
    table = pd.DataFrame(dict(zip(IMPORTANCE_COLUMNS, columns, strict=True)))
    return Importance(
        table.sort_values("importance", ascending=False, kind="stable", ignore_index=True), "", len(ranked), left
    )


def _refusal(configurations: int, space: Mapping[str, Distribution]) -> str:
    if not space:
        return "no hyperparameter was searched over a distribution in all configurations"
    if configurations < FEWEST:
        return (
            f"{configurations} configurations have a score, and {FEWEST} are needed, so that the best tenth are at "
            "least 5"
        )
    return ""


def _study(ranked: pd.DataFrame, space: Mapping[str, Distribution]) -> Study:
    """The configurations as an optuna study, in their order; its values are not looked at."""
    import optuna

    distributions = {path: _distribution(given) for path, given in space.items()}
    columns = {path: _cells(given, ranked[PARAMS + path].tolist()) for path, given in space.items()}
    with _quiet(optuna):
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
        study.add_trials(
            optuna.trial.create_trial(
                params={path: cells[row] for path, cells in columns.items()}, distributions=distributions, value=0.0
            )
            for row in range(len(ranked))
        )
    return study


def _distribution(given: Distribution) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(given, Choice):
        return CategoricalDistribution([repr(coordinate(value)) for value in given.ends().values()])
    if isinstance(given, Int):
        return IntDistribution(given.low, given.low + (given.count() - 1) * given.step, step=given.step)
    return FloatDistribution(given.low, given.high, log=isinstance(given, LogUniform))


def _cells(given: Distribution, values: list[Any]) -> list[Any]:
    """Values as the distribution has them; a listed one by its text, as True and 1 are equal."""
    if not isinstance(given, Choice):
        return [int(value) if isinstance(given, Int) else float(value) for value in values]
    listed = [coordinate(value) for value in given.ends().values()]
    texts = set(map(repr, listed))
    return [text if (text := repr(value)) in texts else repr(_equal(value, listed)) for value in values]


def _equal(value: Any, listed: Any) -> Any:
    """The listed value equal to `value`: a table's column may have made a float of a whole number, or NaN of null."""
    return next((known for known in listed if known == value), None)


def _divergences(study: Study, loss: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
    from optuna.importance import PedAnovaImportanceEvaluator

    with warnings.catch_warnings():
        # It says that small targets count as good, which a loss is for.
        warnings.simplefilter("ignore")
        found = PedAnovaImportanceEvaluator().evaluate(study, names, target=lambda trial: float(loss[trial.number]))
    return np.array([found[name] for name in names])


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without optuna's line on stderr that a study was made."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
