"""How the library's model of each family is taken apart, as code for the `model.py` of a submission.

A row of a submission gives a module one shape, so every module takes one tensor. Layers that also read positions make
them from the number of tokens in it; what they make of it costs no matrix product beyond those of the trained model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from greenexp.errors import InputError
from greenexp.model import MultiExitModel

NORM = "final_norm"
"""What rows call the norm between a layer and whatever reads its states, in families that have one."""
_BERTS_POOLER = "transformers.models.bert.modeling_bert.BertPooler"


@dataclass(frozen=True, slots=True)
class WrittenFamily:
    """One family; `encoder` is the library's model, `config` its settings.

    model: the library's class; layers, projection, pool: expressions; new_pooler: class of a pooler that the library's
    model does not have by itself; code: classes that the expressions name; norm: through which states are read
    """

    model: str
    layers: str = "list(encoder.encoder.layer)"
    projection: str = "None"
    new_pooler: str = ""
    pool: str = "encoder.pooler"
    code: str = ""
    norm: str = "None"

    @property
    def imports(self) -> str:
        """The line that imports the new pooler; "" without one."""
        module, _, name = self.new_pooler.rpartition(".")
        return f"from {module} import {name}\n" if module else ""

    @property
    def pooler_class(self) -> str:
        """Name of the new pooler's class; "" without one."""
        return self.new_pooler.rpartition(".")[2]


_ALBERT_GROUPS = (
    "[encoder.encoder.albert_layer_groups[int(i * config.num_hidden_groups / config.num_hidden_layers)]\n"
    "          for i in range(config.num_hidden_layers)]"
)
_MODERNBERT = '''
class Layer(nn.Module):
    """A layer with the rotary angles of its kind, and the window of a local one."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, hidden):
        kind, rotary = self.layer.attention_type, encoder.rotary_emb
        places = torch.arange(hidden.shape[1], device=hidden.device)
        half = places[:, None].float() * getattr(rotary, f"{kind}_inv_freq").float()
        angles, scaling = torch.cat((half, half), dim=-1)[None], getattr(rotary, f"{kind}_attention_scaling")
        mask = None
        if kind == "sliding_attention":
            far = (places[:, None] - places).abs() > config.sliding_window
            mask = torch.zeros_like(far, dtype=hidden.dtype).masked_fill(far, torch.finfo(hidden.dtype).min)
        positions = (angles.cos() * scaling, angles.sin() * scaling)
        return self.layer(hidden, attention_mask=mask, position_embeddings=positions)

'''
_DEBERTA = '''
class Layer(nn.Module):
    """A layer with the table of relative positions, through its norm; the first one has the convolution, if any."""

    def __init__(self, layer, conv=None):
        super().__init__()
        self.layer, self.conv = layer, conv

    def forward(self, hidden):
        every = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=hidden.device)
        places, table = encoder.encoder.get_rel_pos(hidden), encoder.encoder.get_rel_embedding()
        after, _ = self.layer(hidden, every, relative_pos=places, rel_embeddings=table)
        if self.conv is None:
            return after
        return self.conv(hidden, after, torch.ones(hidden.shape[:2], dtype=torch.long, device=hidden.device))

'''
_MPNET = '''
class Layer(nn.Module):
    """A layer with the bias of relative positions, which all layers share."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, hidden):
        return self.layer(hidden, position_bias=encoder.encoder.compute_position_bias(hidden[:1]))[0]

'''
FAMILIES = {
    "BertConfig": WrittenFamily("BertModel"),
    "RobertaConfig": WrittenFamily("RobertaModel"),
    "ElectraConfig": WrittenFamily(
        "ElectraModel", projection='getattr(encoder, "embeddings_project", None)', new_pooler=_BERTS_POOLER
    ),
    "AlbertConfig": WrittenFamily(
        "AlbertModel",
        layers=_ALBERT_GROUPS,
        projection="encoder.encoder.embedding_hidden_mapping_in",
        pool="FirstToken(encoder.pooler)",
    ),
    "DistilBertConfig": WrittenFamily("DistilBertModel", "list(encoder.transformer.layer)", new_pooler=_BERTS_POOLER),
    "MobileBertConfig": WrittenFamily("MobileBertModel"),
    "ModernBertConfig": WrittenFamily(
        "ModernBertModel",
        layers="[Layer(layer) for layer in encoder.layers]",
        new_pooler=_BERTS_POOLER,
        code=_MODERNBERT,
        norm="encoder.final_norm",
    ),
    "DebertaV2Config": WrittenFamily(
        "DebertaV2Model",
        layers="[Layer(layer, None if i else encoder.encoder.conv) for i, layer in enumerate(encoder.encoder.layer)]",
        new_pooler="transformers.models.deberta_v2.modeling_deberta_v2.ContextPooler",
        code=_DEBERTA,
    ),
    "MPNetConfig": WrittenFamily("MPNetModel", layers="[Layer(layer) for layer in encoder.encoder.layer]", code=_MPNET),
}
"""The library's class of settings -> the family. To add one: a line here; without one there is no type 2."""


def family_of(model: MultiExitModel) -> WrittenFamily:
    """The family of a model's backbone. InputError where there is none."""
    library: Any = getattr(model.backbone, "model", None)
    family = FAMILIES.get(type(getattr(library, "config", None)).__name__)
    if family is None:
        raise InputError(
            f"a submission of type 2 writes the modules as code, and has none for the backbone "
            f"'{model.settings.backbone.name}' (there is for what the library sets up by {', '.join(FAMILIES)}); "
            "type 1 needs none"
        )
    return family
