"""What a saved model carries beside its weights so that it can be served: from text to label names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Serving:
    """What the model was trained on, and what of it may be asked.

    tokenizer: of the library `tokenizers`, as JSON text, cutting off at `max_length` tokens; empty if it is not known
    label_names: in the order of the classes, empty for regression; pairs: whether an example is two texts
    trained_exits: numbers (from 1) of the exits that were trained; no other may be consulted
    task: its name
    """

    tokenizer: str
    label_names: tuple[str, ...]
    max_length: int
    pad_id: int
    pairs: bool
    trained_exits: tuple[int, ...]
    task: str = ""

    def facts(self) -> dict[str, Any]:
        """All but the tokenizer, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "tokenizer"}

    @classmethod
    def of(cls, facts: Mapping[str, Any], tokenizer: str) -> Serving:
        """From `facts`. Raises KeyError, TypeError or ValueError if they are not what `facts` gives."""
        wanted = {field.name for field in fields(cls)} - {"tokenizer"}
        if wanted != set(facts):
            raise KeyError(f"the section 'serving' has {sorted(facts)}, expected {sorted(wanted)}")
        return cls(
            tokenizer=tokenizer,
            label_names=tuple(map(str, facts["label_names"])),
            max_length=int(facts["max_length"]),
            pad_id=int(facts["pad_id"]),
            pairs=bool(facts["pairs"]),
            trained_exits=tuple(map(int, facts["trained_exits"])),
            task=str(facts["task"]),
        )
