"""What can be chosen in the study of seeds."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.errors import InputError


@dataclass(frozen=True, slots=True)
class SeedOptions:
    """How the study of seeds computes; InputError for what is not possible.

    difference: the true difference that is to be found, None: none is named; trials: the number of trials to be spent
        on configurations and seeds, None: as many as there are
    confidence: of intervals; 1 - confidence is the level of tests; power: the probability with which a test is to find
        a true difference
    paired: compare groups seed by seed, as equal seeds are the same thing in all of them
    seed: of permutations and bootstrap samples
    """

    difference: float | None = None
    trials: int | None = None
    confidence: float = 0.95
    power: float = 0.8
    paired: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise InputError(f"the confidence must lie between 0 and 1, received {self.confidence:g}")
        if not self.alpha < self.power < 1:
            raise InputError(
                f"the power must lie between 1 - confidence, {self.alpha:g}, and 1, received {self.power:g}"
            )
        if self.difference is not None and not self.difference > 0:
            raise InputError(f"the difference must be above 0, received {self.difference:g}")
        if self.trials is not None and self.trials < 2:
            raise InputError(f"the number of trials must be at least 2, received {self.trials}")

    @property
    def alpha(self) -> float:
        """The level of tests; without the last digits that the subtraction adds."""
        return round(1 - self.confidence, 12)

    @property
    def percent(self) -> str:
        """The confidence in words, `95 %`."""
        return f"{100 * self.confidence:g} %"
