"""What the plug-ins of all families have in common: their fields, and how a config, new weights or a checkpoint follow.

A family is a frozen dataclass derived from `LibraryEncoder` that names the library's classes and says in which of the
library's settings its fields go.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from greenexp.assets import ASSETS
from greenexp.assets.tensors import file_problem
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.library import LibraryBackbone, Pooling
from greenexp.errors import CheckpointError, InputError, library_failures
from greenexp.journal.chosen_model import chosen_model, means_model
from greenexp.records.manifests import TOKENIZER

Attention = Literal["sdpa", "eager"]
Size = Annotated[int, Field(ge=1, le=2**16)]
MOST_LAYERS = 1_000
Depth = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
"""A plan builds the encoder without memory for its weights: these are far above any encoder, and still answered."""

_FIELDS = """
source: a checkpoint in safetensors, read in float32: the name of an asset (`minilm-l6`), a local folder, or a hub id,
    pinned as `owner/name@commit`; or the folder of a sweep, whose chosen model's encoder is meant, or of a trained
    model; None for random initialisation
layers: number of layers; with a source, those kept, from the first
hidden, heads, intermediate, max_positions: only without a source
dropout: of hidden states and attention probabilities
pooling: what an exit sees: `pooler` (over the first token; a new one where the encoder brings none), `cls` (the first
    token's hidden state) or `mean` (the mean over tokens). None: what the asset was trained with (`minilm-l6`: mean),
    else `pooler`
attention: which of the library's attention implementations runs
None stands for the source's value, and without a source for the one above.
"""


@dataclass(frozen=True)
class LibraryEncoder:
    """The fields that every family has.

    family: its name
    library_type: the library's `model_type` of its checkpoints; empty: its name
    new_model: the library's class that is made anew and that a saved folder is read into
    source_model: the class that a source is read into
    driver: the backbone around it
    source_tokenizer: the class that reads a source's tokenizer
    """

    layers: Depth | None = None
    hidden: Size | None = None
    heads: Size | None = None
    intermediate: Size | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    max_positions: Size | None = None
    source: str | None = None
    pooling: Pooling | None = None
    attention: Attention = "sdpa"

    family: ClassVar[str]
    library_type: ClassVar[str] = ""
    new_model: ClassVar[Any]
    source_model: ClassVar[Any]
    driver: ClassVar[type[LibraryBackbone]]
    source_tokenizer: ClassVar[Any] = AutoTokenizer
    brings_pooler: ClassVar[bool] = True
    """Whether the family's encoders come with a pooler."""
    reads_saved: ClassVar[bool] = False
    """Whether it reads folders of models that greenexp saved by itself, since it takes more from them than layers."""
    needs_own_pad_id: ClassVar[bool] = False
    """Whether the embeddings of real tokens depend on which ids are padding, so that the data must use the config's."""
    shape_fields: ClassVar[tuple[str, ...]] = ("hidden", "heads", "intermediate", "max_positions")
    dropout_settings: ClassVar[tuple[str, ...]] = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    usual_shape: ClassVar[tuple[int, int, int]] = (12, 768, 12)
    """Layers, hidden size and heads without a source."""

    def __init_subclass__(cls) -> None:
        """What the fields of every family mean is said once, and stands in every card."""
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n{_FIELDS}"

    def __post_init__(self) -> None:
        given = [name for name in self.shape_fields if getattr(self, name) is not None]
        if self.source is not None and given:
            raise InputError(f"{self.family}: {', '.join(given)}: fixed by the source '{self.source}'; leave it out")
        if self.source is None:
            self._check_shape()

    @property
    def assets(self) -> tuple[str, ...]:
        """See `BackbonePlugin`."""
        return (self.source,) if self.source is not None and self.source in ASSETS else ()

    def build(self, vocab_size: int, pad_id: int, device: str = "cpu") -> LibraryBackbone:
        """See `BackbonePlugin.build`."""
        if self.source is None:
            with torch.device(device):
                model = self._model(self._random_config(vocab_size, pad_id))
                return self.driver(model, self._pooling, new_pooler=not self.brings_pooler)
        checkpoint = Checkpoint.of(self.source)
        config = self._source_config(checkpoint)
        if vocab_size > config.vocab_size:
            raise InputError(f"the data has {vocab_size} token ids, the source '{self.source}' {config.vocab_size}")
        if self.needs_own_pad_id and pad_id != config.pad_token_id:
            raise InputError(f"the data is padded with {pad_id}, the source '{self.source}' with {config.pad_token_id}")
        if device == "meta":
            with torch.device("meta"):
                return self.driver(self._model(config), self._pooling)
        return self._loaded(checkpoint, config).to(device)

    def load(self, folder: Path, reshape: Callable[[Any], None] | None = None) -> LibraryBackbone:
        """See `BackbonePlugin.load`."""
        with library_failures(lambda why: CheckpointError(f"{folder}: the backbone cannot be read: {why}")):
            if problem := file_problem(folder / "model.safetensors"):
                raise CheckpointError(f"{folder}: model.safetensors cannot be read: {problem}")
            config = self.new_model.config_class.from_pretrained(folder, attn_implementation=self._attention)
            weights = load_file(folder / "model.safetensors")
        with library_failures(lambda why: CheckpointError(f"{folder}: config.json describes no {self.family}: {why}")):
            self._refuse_other_size(config, sum(tensor.numel() for tensor in weights.values()), folder, reshape)
            backbone = self._blank(config, reshape)
        with library_failures(lambda why: CheckpointError(f"{folder}: the weights do not fit config.json: {why}")):
            backbone.model.load_state_dict(weights)
            return backbone

    def _blank(self, config: Any, reshape: Callable[[Any], None] | None) -> LibraryBackbone:
        """A backbone whose weights are still to be read."""
        backbone = self.driver(self._model(config), self._pooling)
        if reshape is not None:
            reshape(backbone)
        return backbone

    def _refuse_other_size(
        self, config: Any, weights: int, folder: Path, reshape: Callable[[Any], None] | None
    ) -> None:
        """CheckpointError for a config of far more weights than there are, before any memory is taken for them."""
        if config.num_hidden_layers > MOST_LAYERS:
            raise CheckpointError(f"{folder}: config.json has {config.num_hidden_layers} layers, at most {MOST_LAYERS}")
        if config.num_attention_heads < 1:  # which the library notices when a text is read
            raise CheckpointError(f"{folder}: config.json has {config.num_attention_heads} attention heads")
        with torch.device("meta"):
            blank = self._blank(config, reshape)
            described = sum(tensor.numel() for tensor in blank.model.state_dict().values())
        if described > 2 * weights:
            raise CheckpointError(f"{folder}: config.json describes {described:,} weights, and there are {weights:,}")

    def tokenizer(self) -> Any | None:
        """See `BackbonePlugin.tokenizer`."""
        if self.source is None:
            return None
        if not self.reads_saved and self.source not in ASSETS and means_model(Path(self.source)):
            return _trained_tokenizer(self.source)
        return Checkpoint.of(self.source).tokenizer(self.source_tokenizer)

    @property
    def _attention(self) -> Attention:
        return self.attention if self.attention in self.driver.attentions else "eager"

    @property
    def _pooling(self) -> Pooling:
        asset = ASSETS.get(self.source or "")
        return self.pooling or (asset.pooling if asset is not None and asset.pooling else "pooler")

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Layers, hidden size and heads without a source."""
        layers, hidden, heads = self.usual_shape
        return self.layers or layers, self.hidden or hidden, self.heads or heads

    def _check_shape(self) -> None:
        """Raises InputError if what the fields say of a new encoder contradicts itself."""
        _, hidden, heads = self._shape
        if hidden % heads:
            raise InputError(f"{self.family}: hidden ({hidden}) must be a multiple of heads ({heads})")

    def _model(self, config: Any) -> Any:
        return self.new_model(config, add_pooling_layer=self._pooling == "pooler")

    def _loaded(self, checkpoint: Checkpoint, config: Any) -> LibraryBackbone:
        """The backbone with the checkpoint's weights, on the CPU."""
        with_pooler = self._pooling == "pooler"
        found = checkpoint.model(self.source_model, config, self._attention, with_pooler)
        return self.driver(found.model, self._pooling, found.notes, new_pooler=found.new_pooler)

    def _random_config(self, vocab_size: int, pad_id: int) -> Any:
        dropout = {} if self.dropout is None else dict.fromkeys(self.dropout_settings, self.dropout)
        return self.new_model.config_class(
            vocab_size=vocab_size, pad_token_id=pad_id, attn_implementation=self._attention, **self._sizes(), **dropout
        )

    def _sizes(self) -> dict[str, Any]:
        """The library's settings of a new encoder, beside vocabulary and dropout."""
        layers, hidden, heads = self._shape
        return {
            "num_hidden_layers": layers,
            "hidden_size": hidden,
            "num_attention_heads": heads,
            "intermediate_size": self.intermediate or 4 * hidden,
            "max_position_embeddings": self.max_positions or 512,
        }

    def _source_config(self, checkpoint: Checkpoint) -> Any:
        """The checkpoint's config with this plug-in's fields applied."""
        config = checkpoint.config(self._type_of(checkpoint), self.source_model.config_class, self._attention)
        if self.layers is not None:
            if self.layers > config.num_hidden_layers:
                raise InputError(
                    f"backbone source '{checkpoint.source}' has {config.num_hidden_layers} layers, not {self.layers}"
                )
            self._cut(config, self.layers)
        if self.dropout is not None:
            for name in self.dropout_settings:
                setattr(config, name, self.dropout)
        return config

    def _type_of(self, checkpoint: Checkpoint) -> str:  # noqa: ARG002 - one of a family may have several
        """The library's `model_type` that a checkpoint of this family has."""
        return self.library_type or self.family

    def _cut(self, config: Any, layers: int) -> None:
        """Make `config` that of its first `layers` layers."""
        config.num_hidden_layers = layers


def _trained_tokenizer(source: str) -> Any:
    """What the trained model that `source` means reads with. Raises InputError where it was saved without."""
    file = chosen_model(Path(source)) / TOKENIZER
    if not file.is_file():
        raise InputError(f"backbone source '{source}' was saved without its tokenizer")
    with library_failures(lambda why: InputError(f"backbone source '{source}' has a damaged tokenizer: {why}")):
        return Tokenizer.from_file(str(file))
