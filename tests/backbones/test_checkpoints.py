"""Sources of pretrained weights: what they name, that they are read once, and that nobody trains what is kept."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from greenexp.assets import ASSETS, Asset, AssetFile, find
from greenexp.backbones import checkpoints
from greenexp.backbones.base import TokenBatch
from greenexp.backbones.bert import Bert
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.errors import AssetError, InputError

SHAPE = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def nothing_in_memory() -> None:
    checkpoints._pristine.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with a pooler."""
    return save(tmp_path / "checkpoint", pooler=True)


def save(folder: Path, *, pooler: bool, seed: int = 3) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(BertConfig(**SHAPE), add_pooling_layer=pooler).save_pretrained(folder)
    return folder


def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one whenever weights are read from disk."""
    found: list[str] = []
    original = BertModel.from_pretrained

    def counting(where: str, **options: object) -> object:
        found.append(where)
        return original(where, **options)

    monkeypatch.setattr(BertModel, "from_pretrained", counting)
    return found


def weights(backbone: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in backbone.state_dict().items()}


def test_weights_are_read_once_and_training_does_not_touch_what_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = readings(monkeypatch)
    first = Bert(source=str(folder)).build(50, 0)
    before = weights(first)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1)
    second = Bert(source=str(folder)).build(50, 0)
    assert read == [str(folder)]
    assert all(torch.equal(value, before[name]) for name, value in second.state_dict().items())
    assert all(parameter.requires_grad for parameter in second.parameters())


@pytest.mark.parametrize("fields", [{"layers": 2}, {"dropout": 0.3}, {"attention": "eager"}, {"pooling": "mean"}])
def test_other_fields_are_another_model(folder: Path, fields: dict[str, object]) -> None:
    plain, changed = Bert(source=str(folder)).build(50, 0), Bert(source=str(folder), **fields).build(50, 0)
    config = changed.model.config
    assert config.num_hidden_layers == fields.get("layers", 3) == changed.num_layers
    assert config.hidden_dropout_prob == fields.get("dropout", 0.1)
    assert config._attn_implementation == fields.get("attention", "sdpa")
    assert (changed.model.pooler is None) == (fields.get("pooling") == "mean")
    assert plain.num_layers == 3
    assert changed.model.encoder.layer[0].attention.self.dropout.p == fields.get("dropout", 0.1)


def test_changed_files_are_read_again(folder: Path) -> None:
    old = weights(Bert(source=str(folder)).build(50, 0))
    save(folder, pooler=True, seed=4)
    os.utime(folder / "model.safetensors", (1, 1))
    new = Bert(source=str(folder)).build(50, 0).state_dict()
    name = "model.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(new[name], old[name])


def test_a_new_pooler_depends_on_the_seed_alone_not_on_what_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(save(tmp_path / "bare", pooler=False))
    read = readings(monkeypatch)

    def pooler(seed: int) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            weight: torch.Tensor = Bert(source=source).build(50, 0).model.pooler.dense.weight
            return weight

    cold, warm, other = pooler(0), pooler(0), pooler(1)
    assert torch.equal(cold, warm)
    assert not torch.equal(cold, other)
    assert len(read) == 1


def test_reading_draws_nothing(folder: Path) -> None:
    before = torch.random.get_rng_state()
    Bert(source=str(folder)).build(50, 0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.fixture
def asset(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """The checkpoint as an asset that lies in a folder of the user's, trained with mean pooling."""
    import hashlib

    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(folder)
    files = tuple(
        AssetFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in sorted(folder.iterdir())
    )
    made = Asset("made-up", "made up", "CC0", "nobody", files, (), pooling="mean")
    monkeypatch.setitem(ASSETS, "made-up", made)  # type: ignore[arg-type]  # a dict behind a Mapping
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GREENEXP_ASSETS", str(tmp_path))
    folder.rename(tmp_path / "made-up")
    return made


def test_an_asset_is_a_source_by_its_name(asset: Asset) -> None:
    backbone = Bert(source="made-up").build(50, 0)
    assert backbone.pooling == "mean"
    assert backbone.model.pooler is None
    assert backbone.notes == ()
    assert Bert(source="made-up", pooling="pooler").build(50, 0).pooling == "pooler"
    tokenizer = Bert(source="made-up").tokenizer()
    assert tokenizer("a b")["input_ids"] == [2, 5, 6, 3]


def test_a_damaged_asset_is_refused_before_it_is_loaded(asset: Asset, tmp_path: Path) -> None:
    with (tmp_path / "made-up" / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xff")
    os.utime(tmp_path / "made-up" / "model.safetensors", (1, 1))
    with pytest.raises(AssetError, match=r"model\.safetensors has sha256"):
        Bert(source="made-up").build(50, 0)


def test_a_model_is_saved_and_loaded_without_its_asset(asset: Asset, tmp_path: Path) -> None:
    plugin = Bert(source="made-up")
    plugin.build(50, 0).save(tmp_path / "saved")
    (tmp_path / "made-up").rename(tmp_path / "gone")
    assert plugin.load(tmp_path / "saved").pooling == "mean"


def test_hub_ids_may_be_pinned() -> None:
    assert Checkpoint.of(f"owner/name@{COMMIT}") == Checkpoint(f"owner/name@{COMMIT}", "owner/name", COMMIT)
    assert Checkpoint.of("owner/name") == Checkpoint("owner/name", "owner/name")
    assert Checkpoint.of("owner/name@main").revision is None


def test_a_misspelt_asset_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="'minilm-l6'"):
        Bert(source="minilm-16").build(50, 0)


@pytest.mark.parametrize("read", [lambda plugin: plugin.build(50, 0), lambda plugin: plugin.tokenizer()])
def test_a_hub_that_cannot_be_reached_is_one_line(
    read: Callable[[Bert], object], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        with pytest.raises(InputError, match=r"'owner/name' .* hub cannot be reached") as caught:
            read(Bert(source="owner/name"))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_minilm_gives_what_the_library_gives() -> None:
    folder = find("minilm-l6")
    if folder is None:
        pytest.skip("the weights minilm-l6 have not been fetched on this machine")
    plugin = Bert(source="minilm-l6")
    tokenizer = plugin.tokenizer()
    coded = tokenizer(["a plain film", "a film with no plot at all"], padding=True, return_tensors="pt")
    backbone = plugin.build(len(tokenizer), tokenizer.pad_token_id).eval()
    assert (backbone.num_layers, backbone.hidden_size, backbone.max_length) == (6, 384, 512)
    assert backbone.notes == ()
    theirs = BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = theirs(**coded).last_hidden_state
        state = backbone.embed(TokenBatch(coded["input_ids"], coded["attention_mask"]))
        for layer in range(6):
            state = backbone.layer(layer, state)
        mask = coded["attention_mask"].unsqueeze(-1)
        assert (backbone.pool(state) - (expected * mask).sum(1) / mask.sum(1)).abs().max() < 1e-5
