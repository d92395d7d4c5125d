"""What replay works on: the logits of all trained exits on one split, and what leaving at each of them costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ExitRecord:
    """The cached forward pass of a multi-exit model.

    logits: float32 [exit, example, class], trained exits only, in ascending order; one column for regression
    labels: [example], classes, or numbers for regression; lengths: [example], tokens
    exits: int64 [exit], the exits' numbers (from 1); None: 1, 2, ... An exit that was not trained is not in the record,
        so no policy can consult it
    learned: float32 [exit, example], what the model's learned exit module said at each exit; None if it has none

    Anything array-like is taken and converted. InputError where the shapes contradict each other.
    """

    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[Any]
    lengths: Ints
    exits: Ints | None = None
    learned: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        logits = np.asarray(self.logits, dtype=np.float32)
        if logits.ndim != 3 or 0 in (logits.shape[0], logits.shape[2]):
            raise InputError(f"logits must be [exit, example, class], received shape {logits.shape}")
        numbers = np.arange(1, len(logits) + 1) if self.exits is None else np.asarray(self.exits)
        shapes = {
            "labels": (np.asarray(self.labels), logits.shape[1:2]),
            "lengths": (np.asarray(self.lengths, dtype=np.int64), logits.shape[1:2]),
            "exits": (numbers.astype(np.int64), logits.shape[:1]),
        }
        if self.learned is not None:
            shapes["learned"] = (np.asarray(self.learned, dtype=np.float32), logits.shape[:2])
        object.__setattr__(self, "logits", logits)
        for name, (array, shape) in shapes.items():
            if array.shape != shape:
                raise InputError(f"{name} of shape {array.shape} do not fit logits of shape {logits.shape}")
            object.__setattr__(self, name, array)
        if numbers[0] < 1 or (np.diff(numbers) <= 0).any():
            raise InputError(f"exits must be ascending numbers from 1, each once; received {numbers.tolist()}")

    @property
    def numbers(self) -> Ints:
        """The exits' numbers, int64 [exit]."""
        return np.arange(1, len(self.logits) + 1) if self.exits is None else self.exits

    @property
    def is_regression(self) -> bool:
        """True if there is one output, which is a number and no class."""
        return bool(self.logits.shape[2] == 1)

    def classes_first(self) -> npt.NDArray[np.float64]:
        """The logits as float64 [class, exit, example]: reductions over a short last axis are slow."""
        return np.ascontiguousarray(np.moveaxis(self.logits, 2, 0), dtype=np.float64)

    def answers(self) -> npt.NDArray[Any]:
        """What each exit says by itself, [exit, example]: classes (int64), or values (float64) for regression."""
        return self.logits[:, :, 0].astype(np.float64) if self.is_regression else self.predictions()

    def only(self, exits: Iterable[int]) -> ExitRecord:
        """The same without the exits whose numbers are not in `exits`. InputError if none is left."""
        wanted = set(exits)
        kept = np.array([number in wanted for number in self.numbers])
        if not kept.any():
            raise InputError(f"none of the exits {sorted(wanted)} is in the record, which has {self.numbers.tolist()}")
        learned = None if self.learned is None else self.learned[kept]
        return ExitRecord(self.logits[kept], self.labels, self.lengths, self.numbers[kept], learned)

    def calibrated(self, temperatures: Mapping[int, float]) -> ExitRecord:
        """The same with each exit's logits divided by its temperature, in float32, as an engine divides them.

        temperatures: exit number -> temperature; an exit without one keeps its logits, and numbers of exits that are
        not in the record do not matter. What the learned exit module said stays. InputError for a temperature that is
        no number above 0 in float32, and for regression.
        """
        if self.is_regression:
            raise InputError("a regression output has no temperature")
        divisors = np.ones(len(self.logits), dtype=np.float32)
        for place, number in enumerate(self.numbers):
            divisors[place] = temperature = temperatures.get(int(number), 1.0)
            if not 0 < divisors[place] < np.inf:
                raise InputError(f"temperature of exit {number} must be a number above 0, received {temperature!r}")
        with np.errstate(over="ignore"):
            logits = self.logits / divisors[:, None, None]
        return ExitRecord(logits, self.labels, self.lengths, self.numbers, self.learned)

    def predictions(self) -> Ints:
        """Class predicted at each exit, int64 [exit, example].

        The first of several largest logits, as `argmax` has it in numpy and torch; a NaN counts as the largest. For
        regression InputError.
        """
        if self.is_regression:
            raise InputError("a regression output predicts no class")
        values = self.classes_first()
        found = np.zeros(values.shape[1:], dtype=np.int64)
        largest = values[0].copy()
        for number, column in enumerate(values[1:], start=1):
            better = column > largest
            found[better] = number
            np.maximum(largest, column, out=largest)
        bad = np.isnan(largest)
        if bad.any():
            found[bad] = self.logits[bad].argmax(axis=-1)
        return found

    def known_predictions(self) -> Ints:
        """`predictions`, but -1 where a logit is NaN: such an exit predicts nothing."""
        predictions, unknown = self.predictions(), np.isnan(self.logits)
        if unknown.any():
            predictions[unknown.any(axis=2)] = -1
        return predictions


@dataclass(frozen=True, eq=False)
class ExitCosts:
    """What leaving at an exit costs: layers, and analytic FLOPs of one example by its real length, unpadded.

    layers: int64 [exit], the encoder layer of each trained exit, ascending
    encoder_layers: how many layers the whole encoder has, whether or not its last exit was trained; None of costs that
        an earlier version stored, see `depth`
    lengths: int64 [length], the different lengths that occur, ascending
    static_flops: int64 [exit, length], if no other exit is evaluated
    dynamic_flops: int64 [exit, length], if every trained exit up to this one is evaluated, as a policy does
    latency_s: float64 [exit, length], seconds of one example alone that leaves here, every trained exit up to this one
        evaluated, measured on some machine; None if nobody measured
    """

    layers: Ints
    lengths: Ints
    static_flops: Ints
    dynamic_flops: Ints
    latency_s: npt.NDArray[np.float64] | None = None
    encoder_layers: int | None = None

    def __post_init__(self) -> None:
        for name in ("layers", "lengths", "static_flops", "dynamic_flops"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        shape = (len(self.layers), len(self.lengths))
        if self.latency_s is not None:
            object.__setattr__(self, "latency_s", _seconds(self.latency_s, shape))
        if self.static_flops.shape != shape or self.dynamic_flops.shape != shape:
            raise InputError(
                f"costs of {shape[0]} exits at {shape[1]} lengths must have that shape, received "
                f"{self.static_flops.shape} and {self.dynamic_flops.shape}"
            )
        if (np.diff(self.lengths) <= 0).any():
            raise InputError("the lengths of costs must be ascending, each once")
        if self.encoder_layers is not None:
            object.__setattr__(self, "encoder_layers", int(self.encoder_layers))
            if len(self.layers) and self.depth < self.layers[-1]:
                raise InputError(f"an encoder of {self.depth} layers has no exit at layer {self.layers[-1]}")

    @property
    def depth(self) -> int:
        """The layers that a speed-up of 1 uses: speed-up = depth / mean layers used.

        Those of the whole encoder; where an earlier version did not store them, up to the last trained exit.
        """
        return int(self.layers[-1]) if self.encoder_layers is None else self.encoder_layers

    def speed_up(self, mean_layers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Speed-up of each mean number of layers used per example."""
        return self.depth / mean_layers

    def only(self, places: npt.ArrayLike) -> ExitCosts:
        """The costs of some of the exits, by their places from 0. FLOPs and latency stay those of all exits."""
        kept = np.asarray(places, dtype=np.int64)
        return ExitCosts(
            self.layers[kept],
            self.lengths,
            self.static_flops[kept],
            self.dynamic_flops[kept],
            None if self.latency_s is None else self.latency_s[kept],
            self.encoder_layers,
        )

    def columns(self, lengths: npt.ArrayLike) -> Ints:
        """Column of each example's length, int64 [example]. InputError for a length without a price."""
        wanted = np.asarray(lengths, dtype=np.int64)
        found = np.searchsorted(self.lengths, wanted)
        known = self.lengths[np.minimum(found, len(self.lengths) - 1)] == wanted if len(self.lengths) else wanted < 0
        if not np.all(known):
            raise InputError(f"no costs are given for examples of length {wanted[~known][0]}")
        return found


def _seconds(given: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    seconds = np.asarray(given, dtype=np.float64)
    if seconds.shape != shape:
        raise InputError(f"latency_s of {shape[0]} exits at {shape[1]} lengths has shape {seconds.shape}")
    bad = ~(np.isfinite(seconds) & (seconds > 0))
    if bad.any():
        raise InputError(f"latency_s must be finite and above 0, received {seconds[bad][0]}")
    return seconds
