"""`LossWeights`: the weights omega of loss terms, and how they learn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from greenexp.objectives.parametrisation import Parametrisation, pulled_back, start, weights_of
from greenexp.objectives.schemes import Look, Reading, Scheme, SchemeName
from greenexp.objectives.terms import MutualTerms

Steps = Literal["one", "two"]

_LARGEST_DRAW = 50
"""`random` draws from 1 to this (Zhu 2021, LeeBERT-Rand)."""


class LossWeights:
    """omega = {w_m, w_mt}, one weight per term, all 1 at first.

    L = sum_j omega_j l_j is linear in omega, so its gradient is the vector l of terms itself: `step` takes measured
    vectors, pulls them through the parametrisation by hand and makes an Adam step (betas 0.9 and 0.999, no weight
    decay, no clipping). No graph through the model is ever needed, and omega lives outside the model's optimiser.

        terms = MutualTerms(exits=12)
        weights = LossWeights.of(terms, "clo-v1")
        for number, (x1, y1, x2, y2) in enumerate(batches):  # B1 and B2
            weights.total(terms.of(model(x1), y1)).backward()  # model(x): logits [exit, example, class]
            optimiser.step()
            optimiser.zero_grad()
            with torch.no_grad():
                after = {Look.FIRST_AFTER: terms.of(model(x1), y1), Look.SECOND_AFTER: terms.of(model(x2), y2)}
            weights.step(number, after)  # of other schemes: what `weights.scheme.looks(number)` names

    scheme: which measurements a step descends; parametrisation: see there; learning_rate: of omega's Adam
    factors: lambda_1 and lambda_2, of the gradients on B1 and on B2
    steps: `one` Adam step on the factors' sum of gradients, or `two`, first B1's then B2's (equal only for plain SGD)
    rng: what `random` draws from, once; no other scheme needs it. Weights that do not learn are kept as they are, `raw`
    """

    def __init__(
        self,
        terms: MutualTerms,
        scheme: Scheme,
        parametrisation: Parametrisation,
        learning_rate: float,
        *,
        factors: tuple[float, float] = (1.0, 1.0),
        steps: Steps = "one",
        rng: np.random.Generator | None = None,
    ) -> None:
        if steps not in ("one", "two"):
            raise ValueError(f"steps: expected one or two, got {steps!r}")
        self.scheme = scheme
        self._kind: Parametrisation = parametrisation if scheme.learns else "raw"
        self._groups: Sequence[slice] = tuple(terms.groups.values())
        self._factors, self._steps = factors, steps
        free = start(self._kind, len(terms.students))
        if scheme.name == "random":
            if rng is None:
                raise ValueError("random weights need a generator")
            free = random_weights(terms, rng)
        self._free = free.requires_grad_()
        self._adam = torch.optim.Adam([self._free], lr=learning_rate, foreach=False)
        if parametrisation == "raw" and scheme.learns:
            warnings.warn(
                "loss weights: parametrisation raw diverges: the loss is linear in its weights, with coefficients above"
                f" 0, so they fall at every step and pass zero after about {1 / learning_rate:.0f} of them;"
                " use softmax",
                RuntimeWarning,
                stacklevel=2,
            )

    @classmethod
    def of(
        cls,
        terms: MutualTerms,
        scheme: SchemeName,
        *,
        parametrisation: Parametrisation = "softmax",
        learning_rate: float = 1e-3,
        cycle: int = 4,
        reading: Reading = "algorithm",
        factors: tuple[float, float] = (1.0, 1.0),
        steps: Steps = "one",
        rng: np.random.Generator | None = None,
    ) -> LossWeights:
        """Weights of `terms` that learn by the scheme of this name; for the rest see the class."""
        chosen = Scheme(scheme, cycle, reading)
        return cls(terms, chosen, parametrisation, learning_rate, factors=factors, steps=steps, rng=rng)

    @property
    def values(self) -> Tensor:
        """[term], float64: omega, no graph attached."""
        return weights_of(self._kind, self._free.detach(), self._groups)

    def total(self, terms: Tensor) -> Tensor:
        """sum_j omega_j l_j, a scalar; gradients flow into the terms alone. Raises ValueError for another number."""
        self._check(terms)
        self.to(terms.device)
        return (self.values.to(terms) * terms).sum()

    def step(self, number: int, measured: Mapping[Look, Tensor]) -> None:
        """Update omega at optimiser step `number` (from 0), from the terms measured where `scheme.looks(number)` says.

        measured: per look [term], as `MutualTerms.of` gives them. Raises ValueError if something else was measured.
        """
        looks = self.scheme.looks(number)
        if set(measured) != set(looks):
            raise ValueError(f"{self.scheme.name}, step {number}: expected {list(looks)}, got {list(measured)}")
        for terms in measured.values():
            self._check(terms)
        first, second = self._factors
        gradients = [(second if look is Look.SECOND_AFTER else first) * measured[look].detach() for look in looks]
        if not gradients:
            return
        self.to(gradients[0].device)
        if self._steps == "one":
            gradients = [torch.stack(gradients).sum(dim=0)]
        for gradient in gradients:
            free = self._free.detach()
            self._free.grad = pulled_back(self._kind, free, self._groups, gradient.double())
            self._adam.step()
        self._free.grad = None

    def _check(self, terms: Tensor) -> None:
        if terms.shape != self._free.shape:
            raise ValueError(f"loss weights of {len(self._free)} terms were given terms of shape {tuple(terms.shape)}")

    def to(self, device: torch.device) -> None:
        """Move omega and its optimiser's state."""
        if self._free.device != device:
            self._free.data = self._free.data.to(device)
            for name, value in self._adam.state.get(self._free, {}).items():
                if name != "step":
                    self._adam.state[self._free][name] = value.to(device)

    def state_dict(self) -> dict[str, Tensor]:
        """Omega's free numbers and its Adam: `free`, and once it has moved `step`, `exp_avg`, `exp_avg_sq`."""
        state = self._adam.state.get(self._free, {})
        return {"free": self._free.detach().clone(), **{name: value.clone() for name, value in state.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Raises ValueError if it is of other terms."""
        adam = {"step", "exp_avg", "exp_avg_sq"}
        if set(state) not in ({"free"}, {"free"} | adam):
            raise ValueError(f"state of loss weights: unexpected {sorted(state)}")
        shapes = {name: tuple(value.shape) for name, value in state.items() if name != "step"}
        if set(shapes.values()) != {tuple(self._free.shape)}:
            raise ValueError(f"state of loss weights: {shapes} for {len(self._free)} terms")
        self._free.data = state["free"].to(self._free)
        self._adam.state.clear()
        if len(state) > 1:
            moments = {name: state[name].clone().to(self._free.device) for name in ("exp_avg", "exp_avg_sq")}
            self._adam.state[self._free] = {"step": state["step"].clone().cpu(), **moments}


def random_weights(terms: MutualTerms, rng: np.random.Generator) -> Tensor:
    """[term]: whole numbers from 1 to 50, then divided so that each exit's own terms, w_m and its w_mt, sum to 1."""
    students = terms.students
    drawn = torch.from_numpy(rng.integers(1, _LARGEST_DRAW + 1, len(students))).double()
    sums = torch.zeros(terms.exits, dtype=torch.float64).index_add_(0, students, drawn)
    return drawn / sums[students]
