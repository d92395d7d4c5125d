"""A trained model as MLflow's `python_function`: texts in, a table of answers out.

MLflow finds `_load_pyfunc` by the name of this module in the model's `MLmodel` file; nothing of MLflow is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from greenexp.errors import InputError
from greenexp.replay.family import DEFAULT_POLICY

if TYPE_CHECKING:
    from greenexp.inference.engine import EarlyExitEngine

BATCH_SIZE = 32
TEXT, SECOND = "text", "text_pair"
"""Columns of the input; the second one of models that were trained on pairs."""
COLUMNS = ("label", "probability", "exit", "layers", "speed_up")
"""Columns of the answers. layers: of the encoder that were run; speed_up: all layers over those."""


class EarlyExitFunction:
    """A model that answers a table or a list of texts, and leaves early as its policy says."""

    def __init__(self, engine: EarlyExitEngine) -> None:
        self._engine = engine

    def predict(self, model_input: Any, _params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """A row of COLUMNS per text. probability is None for regression.

        model_input: a frame with the column `text` (and `text_pair`), or a list of texts or of pairs
        Raises InputError for a frame without these columns: another one is not taken for the texts; and for an empty
        text and for what is no text.
        """
        texts = texts_of(model_input, pairs=bool(self._engine.serving and self._engine.serving.pairs))
        answers = self._engine.answer(self._engine.encode(texts), BATCH_SIZE) if texts else []
        layers = self._engine.model.backbone.num_layers
        rows = [
            (
                answer.prediction if answer.label is None else answer.label,
                answer.confidence,
                answer.exit,
                answer.layer,
                layers / answer.layer,
            )
            for answer in answers
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def texts_of(given: Any, *, pairs: bool) -> list[Any]:
    """The texts of an input of any kind that MLflow passes on.

    A frame whose only column has a number for its name was a list. Columns that are no texts of the model are left out.
    Raises InputError for a missing column, for an empty text, and for second texts where the model reads single ones.
    """
    texts = _given_texts(given, pairs=pairs)
    for row, value in enumerate(texts, start=1):
        for name, text in zip(
            (TEXT, SECOND), value if pairs and not isinstance(value, str) else (value,), strict=False
        ):
            if isinstance(text, str) and not text.strip():
                raise InputError(f"row {row} of {len(texts)}: '{name}' is empty")
    return texts


def _given_texts(given: Any, *, pairs: bool) -> list[Any]:
    if isinstance(given, Mapping):
        given = pd.DataFrame({name: np.atleast_1d(values) for name, values in given.items()})
    if not isinstance(given, pd.DataFrame):
        values: Sequence[Any] = given.tolist() if hasattr(given, "tolist") else list(given)
        if not values or not all(isinstance(value, Mapping) for value in values):
            return list(values)
        # MLflow's server makes an array of each value of an object.
        given = pd.DataFrame([{name: np.asarray(cell).tolist() for name, cell in row.items()} for row in values])
    if not pairs and [*given.columns] == [0]:
        return list(given[0])
    wanted = [TEXT, SECOND] if pairs else [TEXT]
    missing = [name for name in wanted if name not in given]
    if missing:
        raise InputError(f"the input lacks the column {missing[0]} (it has: {', '.join(map(str, given.columns))})")
    if not pairs and SECOND in given:
        raise InputError(f"this model reads single texts; received the column {SECOND}")
    return list(zip(given[TEXT], given[SECOND], strict=True)) if pairs else list(given[TEXT])


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> EarlyExitFunction:
    """The model saved in the folder `path`.

    model_config: `policy`, when to exit, in any form that `greenexp serve --policy` takes
    """
    from greenexp.inference.engine import EarlyExitEngine
    from greenexp.replay.policy_text import policy_from_text

    policy = (model_config or {}).get("policy")
    chosen = DEFAULT_POLICY if policy is None else policy_from_text(policy)
    return EarlyExitFunction(EarlyExitEngine.load(Path(path), chosen))
