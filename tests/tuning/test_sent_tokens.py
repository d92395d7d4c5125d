"""Tokens in files on a node without the driver's folder: asked for once, in pieces, and refused where they are cut."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from greenexp.errors import StateError
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.token_files import TokenFile, tokens_folder
from greenexp.tasks.token_store import kept_tokens
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.tuning import delivered_tokens as delivered
from greenexp.tuning.delivered_tokens import TokenKeeper, fetch_tokens, token_folders

KEY = "b" * 32


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[TokenKeeper, bytes, TokenisedTask]:
    """The driver's keeper, what a worker gets, and the same tokens in memory; then the cache is a worker's."""
    monkeypatch.setattr(delivered, "PIECE_B", 100)
    monkeypatch.setattr(delivered, "_CHECKED", set())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "driver"))
    task = Clauses(train=30, dev=20, test=20).load()
    plain = {name: dataclasses.replace(split, columns={}) for name, split in task.splits.items()}
    task = dataclasses.replace(task, **plain)
    tokenizer = word_tokenizer(task.train.texts)
    here = kept_tokens(KEY, lambda keep: tokenise(task, tokenizer, 16, keep))
    away = tokens_folder().rename(tmp_path / "away")
    keeper = TokenKeeper({key: away / folder.name for key, folder in token_folders(here).items()})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "worker"))
    return keeper, pickle.dumps(here), tokenise(task, tokenizer, 16)


def test_tokens_come_in_pieces_and_once(sent: tuple[TokenKeeper, bytes, TokenisedTask]) -> None:
    keeper, message, expected = sent
    asked: list[str] = []

    def ask(method: str, *arguments: Any) -> Any:
        asked.append(method)
        return getattr(keeper, method)(*arguments)

    for _ in range(2):
        data = pickle.loads(message)  # noqa: S301 - our own bytes
        fetch_tokens(data, ask)
        for name in ("train", "dev", "test"):
            split = getattr(data, name)
            assert isinstance(split.ids, TokenFile)
            np.testing.assert_array_equal(split.ids[:], getattr(expected, name).ids)
    assert asked.count("sizes") == 1
    assert asked.count("piece") > len(keeper.sizes(KEY)) + 2
    assert data.fingerprint == expected.fingerprint


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40], ids=["cut", "changed"])
def test_a_damaged_copy_on_the_node_is_fetched_anew(
    damage: bytes, sent: tuple[TokenKeeper, bytes, TokenisedTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, message, expected = sent
    fetch_tokens(pickle.loads(message), lambda method, *given: getattr(keeper, method)(*given))  # noqa: S301 - ours
    (tokens_folder() / KEY / "train.ids").write_bytes(damage)
    monkeypatch.setattr(delivered, "_CHECKED", set())  # another process
    data = pickle.loads(message)  # noqa: S301 - our own bytes
    fetch_tokens(data, lambda method, *given: getattr(keeper, method)(*given))
    np.testing.assert_array_equal(data.train.ids[:], expected.train.ids)


def test_data_in_memory_needs_nothing(sent: tuple[TokenKeeper, bytes, TokenisedTask]) -> None:
    assert token_folders(sent[2]) == {}
    fetch_tokens(sent[2], lambda *_: pytest.fail("nothing is to be asked"))
    assert delivered.start_token_keeper({}) is None


@pytest.mark.parametrize(("method", "message"), [("piece", "shorter while it was sent"), ("sizes", "arrive whole")])
def test_what_is_cut_on_the_way(method: str, message: str, sent: tuple[TokenKeeper, bytes, TokenisedTask]) -> None:
    keeper, told, _ = sent

    def ask(asked: str, *arguments: Any) -> Any:
        found = getattr(keeper, asked)(*arguments)
        return type(found)() if asked == method else found

    with pytest.raises(StateError, match=message):
        fetch_tokens(pickle.loads(told), ask)  # noqa: S301 - our own bytes
    assert not (tokens_folder() / KEY).exists()
