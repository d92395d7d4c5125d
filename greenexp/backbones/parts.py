"""The places in an encoder layer by one set of names, whatever the library calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from greenexp.errors import InputError


@dataclass(frozen=True, slots=True)
class LayerParts:
    """The linear layers of an ordinary encoder layer, as they stand in the model.

    query, key, value, attention_output: of the attention; inner, outer: of the feed-forward network
    attention: the library's module that holds the number of heads, under the name `heads_field`
    width_field: where it holds their width together; None: nowhere
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_output: nn.Linear
    inner: nn.Linear
    outer: nn.Linear
    attention: Any
    heads_field: str
    width_field: str | None = None

    @property
    def heads(self) -> int:
        """How many attention heads the layer has."""
        count: int = getattr(self.attention, self.heads_field)
        return count

    def set_heads(self, count: int, width: int) -> None:
        """Tell the library how many heads there are now, and how wide they are together."""
        setattr(self.attention, self.heads_field, count)
        if self.width_field is not None:
            setattr(self.attention, self.width_field, width)


def no_parts(family: str) -> InputError:
    """The error of an encoder whose layers cannot be cut."""
    return InputError(
        f"{family}: its layers share weights or are no ordinary encoder layers, so heads and units cannot be removed"
    )
