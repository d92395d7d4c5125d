"""What a card must know of the model beside the record of its sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.records.manifests import TOKENIZER
from greenexp.records.policies import STATIC
from greenexp.records.tables import PARAMS, TEST, SweepTables

EXITS = ("exit", "layer", "dev", "test", "inference_flops", "speed_up")


@dataclass(frozen=True, slots=True)
class CardModel:
    """trial: which one; labels: of its classes, none of a regression.

    pairs: whether an example is two texts; images: whether it is an image
    """

    trial: str
    num_labels: int
    labels: tuple[str, ...] = ()
    pairs: bool = False
    images: bool = False

    @classmethod
    def of(cls, trial: str, manifest: Mapping[str, Any]) -> CardModel:
        """From the file `greenexp.json` of a saved model."""
        serving = manifest.get("serving") or {}
        names = tuple(map(str, serving.get("label_names", ())))
        images = bool(serving) and TOKENIZER not in manifest["files"]  # only models of images are trained without one
        return cls(trial, int(manifest["num_labels"]), names, bool(serving.get("pairs", False)), images)

    def setting(self, tables: SweepTables, path: str, default: Any) -> Any:
        """The value of a field that may have been searched; default: that of the sweep file."""
        if PARAMS + path not in tables.trials:
            return default
        value = tables.trials.loc[tables.trials["trial"] == self.trial, PARAMS + path].tolist()[0]
        return None if pd.isna(value) else value


def exit_scores(tables: SweepTables, trial: str, metric: str) -> pd.DataFrame:
    """A row per exit used alone, EXITS: score on dev at the trial's best epoch and on test, NaN where there is none."""
    points = tables.operating_points
    static = points[(points["trial"] == trial) & (points["policy"] == STATIC)].dropna(
        subset=["threshold", "mean_layers"]
    )
    frame = pd.DataFrame(
        {
            "exit": static["threshold"].astype("int64"),
            "layer": static["mean_layers"].astype("int64"),
            "dev": static["score"],
            "inference_flops": static["inference_flops"],
            "speed_up": static["speed_up"],
        }
    )
    rows = tables.held_out[tables.held_out["trial"] == trial]
    last = rows[rows["evaluation"] == rows["evaluation"].max()]
    on_test = dict(zip(last["exit"].tolist(), last.get(TEST + metric, pd.Series(dtype=float)).tolist(), strict=False))
    frame["test"] = frame["exit"].map(on_test).astype("float64")
    return frame[list(EXITS)].sort_values("exit", ignore_index=True)
