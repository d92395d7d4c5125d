"""LeeBERT (Zhu 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from greenexp.methods.base import Method, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.methods.cross_level import CrossLevelRun
from greenexp.objectives import LossWeights, MutualTerms

_DRAW = 0x1EE  # keeps the draw of `random` apart from everything else drawn from the trial's seed


@dataclass(frozen=True)
class LeeBert(Method):
    """Mutual distillation among all exits, its loss weights learned beside the model (cross-level optimisation).

    Formula: L = sum_m w_m CE_m + sum_m sum_{t in T(m)} w_mt L_KD(t, m) / (M |T(m)|), with
    L_KD(t, m) = -tau^2 sum_k p_t[k] log p_m[k], p = softmax(z / tau).
    Symbols: M exits, z_m logits; T(m) teachers of exit m; theta the model, omega = {w_m, w_mt}; D1, D2 disjoint halves
    of the training set drawn anew every epoch, B1 and B2 their batches.
    Source: Zhu, ACL 2021, eq. 1-18, algorithms 1-2, tables 1-6. No public code exists; this follows the text.
    Official hyperparameters: batch 16, 32 or 128, learning rate 1e-5 to 5e-5, of omega 1e-5 to 5e-3, cycle 2, 4 or 8,
    D1 : D2 = 5 : 5, patience 5 epochs, dev score the mean over exits; tau, epochs and warm-up are not given.
    FastBERT-CLO-v2 is `{name: leebert, teachers: last, weights: clo-v2}`; LeeBERT-LLE has `teachers: later`.
    Departures, and readings where the paper is silent or contradicts itself:
    * omega unconstrained only falls, as L is linear in it with coefficients above 0: hence `parametrisation`. Even so
      the update rewards terms that are small already; of softplus all weights shrink, softmax shifts them.
    * The normaliser is M, the number of exits, not the student's own number; teachers are constants (no gradient).
    * omega has an Adam and a learning rate of its own (the equations reuse theta's), no weight decay, no clipping, no
      loss scaling; one Adam step on the factors' sum of both gradients (`weight_steps`: two in a row).
    * In blo and clo the gradient of omega is taken after theta's step, with dropout on unless `look_dropout` is off.
    * In blo and clo theta sees D1 alone: an epoch has half the steps of other methods.
    * Classification only: distillation of a single output is undefined, so a regression task is refused.
    Passes: one forward and one backward through all exits; blo and clo-v1, and every `cycle`-th step of clo-v2, add
    forward passes after theta's step, over B2 (blo) or over B1 and B2 (clo). No backward pass is made for omega.

    teachers: `last` T(m) = {M}, T(M) = {}; `later` (LLE) t > m; `all` (LAE) t != m
    weights: `uniform` all 1; `random` 1 to 50, divided so that each exit's terms sum to 1, drawn once from the order
        seed; `slo` omega descends L_B1 with theta, no split; `blo` L_B2; `clo-v1` L_B1 and L_B2; `clo-v2` as clo-v1
        every `cycle` steps
    cycle: of clo-v2, in steps (1 makes it clo-v1)
    reading: of clo-v2's other steps: `algorithm` as slo, free of cost (algorithm 2); `text` theta alone (section 3.4)
    temperature: tau
    form: of L_KD: `ce` as above; `kl` less the teacher's entropy: the same for theta, not for omega
    parametrisation: `softmax` S softmax(a) within the M cross-entropies and within the distillation terms, S their
        number; `softplus` log(1 + e^a); `raw` as printed, which diverges and says so; all start with omega = 1
    weight_learning_rate: of omega's Adam
    first_factor, second_factor: lambda_1 and lambda_2, on omega's gradients from B1 and B2; Adam divides by the size of
        its gradients, so that only their ratio matters: in slo and blo, which have one of them, nothing (but a 0)
    weight_steps: `one` Adam step on the sum of both gradients, or `two`, B1's and then B2's
    share: of the training set that D1 gets in blo and clo
    look_dropout: in blo and clo, whether dropout stays on where omega's gradient is measured; off is less noisy and, on
        a CPU, where drawing the masks is a third of a forward pass in bf16, costs less
    """

    teachers: Literal["last", "later", "all"] = "all"
    weights: Literal["uniform", "random", "slo", "blo", "clo-v1", "clo-v2"] = "clo-v2"
    cycle: Annotated[int, Field(ge=1)] = 4
    reading: Literal["algorithm", "text"] = "algorithm"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    form: Literal["ce", "kl"] = "ce"
    parametrisation: Literal["raw", "softplus", "softmax"] = "softmax"
    weight_learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    first_factor: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    second_factor: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    weight_steps: Literal["one", "two"] = "one"
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    look_dropout: bool = True

    def cautions(self) -> tuple[str, ...]:
        """See `Method.cautions`."""
        if self.parametrisation != "raw":
            return super().cautions()
        return (
            *super().cautions(),
            (
                "Loss weights that are trained as they are (method.parametrisation raw) diverge: the loss is linear in "
                "them, with coefficients above 0, so they fall at every step and pass zero."
            ),
        )

    def begin(self, shape: TrialShape) -> CrossLevelRun:
        """See `Method.begin`."""
        refuse_regression("leebert", shape)
        terms = MutualTerms(len(shape.exits), self.teachers, self.temperature, self.form)
        weights = LossWeights.of(
            terms,
            self.weights,
            parametrisation=self.parametrisation,
            learning_rate=self.weight_learning_rate,
            cycle=self.cycle,
            reading=self.reading,
            factors=(self.first_factor, self.second_factor),
            steps=self.weight_steps,
            rng=np.random.default_rng((_DRAW, shape.seed)),
        )
        return CrossLevelRun(shape, terms, weights, self.share, look_dropout=self.look_dropout)
