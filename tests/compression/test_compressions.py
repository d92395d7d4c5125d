"""What compressions take, against models in which the same is only masked, and loops written out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from made_settings import made_model_settings
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.compression import COMPRESSIONS
from greenexp.compression.base import ReportContext
from greenexp.compression.factorised import FactorisedEmbedding
from greenexp.compression.head_pruning import HeadPruning
from greenexp.compression.int8_modules import Int8Linear, quantised
from greenexp.compression.layer_pruning import LayerPruning
from greenexp.compression.magnitude_pruning import MagnitudePruning
from greenexp.compression.taylor import importances, kept_groups, removable
from greenexp.compression.zeros import matrices
from greenexp.errors import CheckpointError, InputError
from greenexp.meters.flops import forward_flops, training_flops
from greenexp.model import MultiExitModel, build_model, load_model, save_model
from greenexp.model.reduction import reduced
from greenexp.objectives import exit_losses
from greenexp.records.costs import Part
from greenexp.records.form import Cut, Form
from greenexp.records.sections import CompressionChoice

SIZES = {"layers": 4, "hidden": 16, "heads": 4, "intermediate": 20, "max_positions": 12, "attention": "eager"}
BATCH = TokenBatch(torch.tensor([[2, 7, 9, 3, 4], [5, 8, 6, 0, 0]]), torch.tensor([[1] * 5, [1, 1, 1, 0, 0]]))
LABELS = torch.tensor([1, 0])


def built(family: str = "bert", form: Form | None = None) -> MultiExitModel:
    settings = made_model_settings(backbone={"name": family, **SIZES}, exits={"head": {"name": "linear", "dropout": 0}})
    if form is not None:
        settings = type(settings)(settings.backbone, settings.layers, settings.head, form=form)
    return build_model(settings, 2, vocab_size=12, pad_id=0, seed=3).eval()


def losses(model: MultiExitModel, exits: tuple[int, ...]):
    model.train_only({Part.EMBEDDINGS}, ())
    yield exit_losses(model(BATCH, exits), LABELS).sum() * len(LABELS)


@dataclass(frozen=True)
class Case:
    """A compression, and how many of the model's numbers are left."""

    fields: dict[str, Any]
    families: tuple[str, ...] = ("bert", "distilbert", "electra", "roberta")
    smaller: bool = True
    layers: int = 4

    def __str__(self) -> str:
        return " ".join(map(str, self.fields.values()))


WITH_TABLES = ("deberta", "mpnet")
CASES = (
    Case({"name": "none"}, smaller=False),
    Case({"name": "head_pruning", "share": 0.5}),
    Case({"name": "unit_pruning", "share": 0.3, "per": "example"}),
    Case({"name": "layer_pruning"}, ("bert", "distilbert", "electra", "roberta", "albert"), layers=2),
    Case({"name": "layer_pruning", "layers": [2, 3, 4]}, ("bert",), layers=3),
    Case({"name": "int8", "embeddings": True}, ("bert", "electra", "roberta", "albert", *WITH_TABLES), smaller=False),
    Case({"name": "magnitude_pruning", "sparsity": 0.75}, ("bert", "albert", *WITH_TABLES), smaller=False),
    Case({"name": "weight_sharing", "groups": 2, "embedding_size": 4}, ("bert", "distilbert", "electra", "roberta")),
)
EACH = [(case, family) for case in CASES for family in case.families]


def test_every_compression_has_a_case() -> None:
    assert {case.fields["name"] for case in CASES} == set(COMPRESSIONS)


@pytest.mark.parametrize(("case", "family"), EACH, ids=str)
def test_what_is_left_is_a_model_like_any_other(case: Case, family: str, tmp_path: Path) -> None:
    plugin, whole = CompressionChoice(**case.fields).plugin(), built(family)
    model = build_model(plugin.adapt(whole.settings), 2, vocab_size=12, pad_id=0, seed=3).eval()
    before = model.state_dict()
    cut = plugin.cut(ReportContext(model.backbone, lambda: losses(model, (2, 4))))
    smaller, exits = (model, (2, 4)) if cut is None else reduced(model, cut, (2, 4))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert (smaller.parameter_count() < whole.parameter_count()) is case.smaller
    assert smaller.backbone.num_layers == case.layers
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        said = smaller(BATCH, exits)
    if "int8" not in case.fields.values():  # the counter does not know its product
        assert counter.get_total_flops() == forward_flops(smaller.costs(2, 5), exits)
    typical = plugin.typical_cut(model.backbone)
    like, _ = (model, None) if typical is None else reduced(model, typical, (2, 4))
    assert forward_flops(like.costs(2, 5), exits) == forward_flops(smaller.costs(2, 5), exits)
    save_model(smaller, tmp_path)
    loaded = load_model(tmp_path)
    assert torch.equal(loaded(BATCH, exits), said)
    assert loaded.weights() == smaller.weights()
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    assert 0 <= on_disk - smaller.weight_bytes() < 20_000  # names and shapes


@pytest.mark.parametrize("family", WITH_TABLES)
def test_tables_of_positions_are_no_matrices_of_the_layers(family: str) -> None:
    model = built(family)
    (table,) = model.backbone.position_tables()
    assert table.ndim == 2
    assert not any(weight is table for weight in matrices(model.backbone))
    for cut in (Cut(zeros=0.5), Cut(int8=("layers", "embeddings"))):
        smaller, _ = reduced(model, cut, (2, 4))
        assert torch.equal(smaller.backbone.position_tables()[0], table)


def test_removed_heads_and_units_are_as_good_as_masked() -> None:
    model = built().double()
    heads, units = ((0, 3), (1,), (0, 1, 2, 3), (2,)), (tuple(range(0, 20, 2)),) * 4
    smaller, _ = reduced(model, Cut(heads=heads, units=units), (4,))
    assert {smaller.backbone.layer_parts(1).query.weight.shape} == {(4, 16)}
    for index in range(4):
        parts = model.backbone.layer_parts(index)
        with torch.no_grad():
            for head in set(range(4)) - set(heads[index]):
                parts.attention_output.weight[:, 4 * head : 4 * head + 4] = 0
            parts.outer.weight[:, 1::2] = 0
    assert torch.allclose(model(BATCH), smaller(BATCH), rtol=1e-12)


@pytest.mark.parametrize("per", ["token", "example"])
def test_importance_is_the_derivative_by_a_gate(per: str) -> None:
    """By finite differences: a factor on one head's context, of one token or of a whole example."""
    model, exits = built().double(), (2, 4)
    parts = [model.backbone.layer_parts(index) for index in range(4)]
    found = importances([part.attention_output for part in parts], [4] * 4, lambda: losses(model, exits), per)  # type: ignore[arg-type]
    step = 1e-5

    def loss(layer: int, head: int, example: int, tokens: slice, factor: float) -> float:
        def gate(_: object, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            context = inputs[0].clone()
            context[example, tokens, 4 * head : 4 * head + 4] *= factor
            return (context,)

        hook = parts[layer].attention_output.register_forward_pre_hook(gate)
        total = float(next(losses(model, exits)).detach())
        hook.remove()
        return total

    for layer, head in ((0, 1), (3, 2)):
        pieces = [slice(None)] if per == "example" else [slice(token, token + 1) for token in range(5)]
        total = 0.0
        for example, piece in itertools.product(range(2), pieces):
            ends = [loss(layer, head, example, piece, 1 + sign * step) for sign in (1, -1)]
            total += abs(ends[0] - ends[1]) / (2 * step)
        assert float(found[layer][head]) == pytest.approx(total, rel=1e-5)


def test_the_passes_of_choosing_equal_the_counter() -> None:
    model, plugin = built(), HeadPruning()
    with FlopCounterMode(display=False) as counter:
        plugin.cut(ReportContext(model.backbone, lambda: losses(model, (2, 4))))
    assert counter.get_total_flops() == training_flops(model.costs(2, 5), plugin.passes((2, 4)))


def test_the_least_important_go_and_some_of_each_layer_stay() -> None:
    scores = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 20.0, 30.0])]
    assert kept_groups(scores, 3, 1, normalised=False) == ((2,), (1, 2))
    assert kept_groups(scores, 2, 1, normalised=True) == ((1, 2), (1, 2))
    assert kept_groups(scores, 5, 1, normalised=False) == ((2,), (2,))
    assert [removable([3, 3], share, 1) for share in (0, 0.25, 0.5, 0.99)] == [0, 2, 3, 4]


def test_int8_weights_and_products() -> None:
    weight = torch.tensor([[127.0, -63.5, 0.4], [0.0, 0.0, 0.0], [-2.0, 1.0, 0.5]])
    whole, scale = quantised(weight)
    assert whole.tolist() == [[127, -64, 0], [0, 0, 0], [-127, 64, 32]]
    assert scale.tolist() == pytest.approx([1.0, 1.0, 2 / 127])
    linear = torch.nn.Linear(3, 3)
    with torch.no_grad():
        linear.weight.copy_(weight)
    values = torch.tensor([[[1.0, -0.5, 0.25], [0.0, 0.0, 0.0]]])
    found = Int8Linear.of(linear)(values)
    q = [127, -64, 32]
    expected = [
        sum(a * b for a, b in zip(q, row, strict=True)) / 127 * s
        for row, s in zip(whole.tolist(), scale.tolist(), strict=True)
    ]
    assert found.shape == (1, 2, 3)
    assert (found[0, 0] - linear.bias).tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert torch.equal(found[0, 1], linear.bias)


def test_the_cubic_schedule_and_zeros_that_stay() -> None:
    plugin, model = MagnitudePruning(sparsity=0.8, initial=0.1, begin=0.25, end=0.75, every=1), built()
    assert [plugin.share(step, 40) for step in (9, 10, 20, 30, 40)] == pytest.approx([0, 0.1, 0.7125, 0.8, 0.8])
    zeros: list[torch.Tensor] = [weight.detach() != weight.detach() for weight in matrices(model.backbone)]
    for step in range(1, 41):
        before = plugin.before_step(model.backbone)
        with torch.no_grad():
            for weight in matrices(model.backbone):
                weight += 0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
        plugin.after_step(model.backbone, before, step, 40)
        for weight, earlier in zip(matrices(model.backbone), zeros, strict=True):
            assert int((weight == 0).sum()) == int(plugin.share(step, 40) * weight.numel() + 0.5)
            assert bool((weight[earlier] == 0).all())
        zeros = [weight.detach() == 0 for weight in matrices(model.backbone)]


def test_factorised_embeddings_are_the_best_product_of_their_rank() -> None:
    table = torch.nn.Embedding(30, 8).double()
    u, s, v = torch.linalg.svd(table.weight.detach(), full_matrices=False)
    for size in (3, 8):
        best = (u[:, :size] * s[:size]) @ v[:size]
        assert torch.allclose(FactorisedEmbedding.of(table, size)(torch.arange(30)), best, atol=1e-9)


def test_groups_share_weights_that_start_from_their_mean() -> None:
    whole, shared = built(), built(form=Form(groups=2))
    layers = [list(layer.parameters()) for layer in whole.backbone.layer_list()]
    for group, members in ((0, (0, 1)), (1, (2, 3))):
        for place, parameter in enumerate(shared.backbone.layer_list()[group].parameters()):
            assert torch.allclose(parameter, (layers[members[0]][place] + layers[members[1]][place]) / 2)
    assert [shared.backbone.weights_of(index) for index in range(4)] == [0, 0, 1, 1]


def test_layers_that_stay() -> None:
    assert LayerPruning().kept(6) == (1, 3, 5)
    assert LayerPruning().kept(12) == (1, 3, 5, 7, 9, 11)
    assert LayerPruning(count=5).kept(12) == (1, 3, 5, 8, 10)
    smaller, exits = reduced(built(), Cut(layers=(1, 3)), (4,))
    assert (smaller.exit_layers, exits) == ((1, 2), (2,))
    assert torch.equal(
        smaller.head(2).state_dict()["classifier.weight"], built().head(4).state_dict()["classifier.weight"]
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "layer_pruning", "count": 2, "layers": [1]}, "count and layers"),
        ({"name": "layer_pruning", "layers": [2, 1]}, "rise"),
        ({"name": "layer_pruning", "layers": [9]}, "4 layers, not 9"),
        ({"name": "magnitude_pruning", "begin": 0.8}, "begin"),
        ({"name": "magnitude_pruning", "initial": 0.8}, "initial"),
        ({"name": "weight_sharing", "groups": None, "embedding_size": None}, "nothing is shared"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        CompressionChoice(**fields).plugin().typical_cut(built().backbone)


@pytest.mark.parametrize("name", ["head_pruning", "unit_pruning"])
def test_layers_that_share_weights_are_not_cut(name: str) -> None:
    with pytest.raises(InputError, match="share weights"):
        CompressionChoice(name=name).plugin().typical_cut(built("albert").backbone)
    with pytest.raises(InputError, match="share weights"):
        CompressionChoice(name=name).plugin().typical_cut(built(form=Form(groups=2)).backbone)


def test_a_form_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    smaller, _ = reduced(built(), Cut(heads=((0,),) * 4), (4,))
    save_model(smaller, tmp_path)
    manifest = tmp_path / "greenexp.json"
    text = manifest.read_text()
    for wrong in ('"heads": [\n        1,\n        1', '"heads": [\n        1'):
        assert wrong in text
    for old, new in (
        ('"heads"', '"hands"'),
        ("1,\n        1,\n        1,\n        1", "1"),
        ("1,\n        1", "-1,\n        1"),
    ):
        manifest.write_text(text.replace(old, new, 1))
        with pytest.raises(CheckpointError):
            load_model(tmp_path)
