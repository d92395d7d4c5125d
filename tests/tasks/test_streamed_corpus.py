"""A text in files: the same examples as in memory, kept once, made anew where they are not whole."""

from __future__ import annotations

import errno
import gzip
import json
import pickle
import resource
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_settings import made_settings

from greenexp.errors import InputError, StateError
from greenexp.plan.data import prepare_data
from greenexp.plan.fields import check_plugin
from greenexp.tasks import TASKS
from greenexp.tasks.batches import epoch_batches
from greenexp.tasks.corpus import Corpus
from greenexp.tasks.prepared import PreparedTask, copied, part
from greenexp.tasks.token_files import TokenFile, tokens_folder
from greenexp.tasks.token_store import MANIFEST, install_tokens, read_tokens
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training.inputs import Reader

Prepared = Callable[..., TokenisedTask]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """`prepared(stream=True, ...)`: the tokens of a text in two files, by fields of the task."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = [f"wörd{number}" for number in range(30)]
    lines = [" ".join((*rng.choice(words, rng.integers(3, 9)), ".")) for _ in range(540)]
    texts = ["\n".join([" ".join(nine[:3]), *nine[3:]]) for nine in zip(*[iter(lines)] * 9, strict=True)]
    Path("a.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n \t\r\n".join(texts[:30]).replace("\n", "\r\n").encode())
    Path("b.txt.gz").write_bytes(gzip.compress("\n\n\n".join([*texts[30:], texts[3]]).encode()))
    Path("dev.tsv").write_text(f"{texts[5].splitlines()[2]}\t1\n")

    def prepare(max_length: int = 24, **fields: Any) -> TokenisedTask:
        task = {"name": "corpus", "files": ["a.txt", "b*"], "words": 20, "dev": 0.3, "vocabulary": 20, **fields}
        found: PreparedTask = prepare_data(made_settings(task=task, training={"max_length": max_length}))
        assert isinstance(found, TokenisedTask)
        return found

    return prepare


def the_folder() -> Path:
    """The only text in the cache."""
    (folder,) = (one for one in tokens_folder().iterdir() if one.is_dir())
    return folder


@pytest.mark.parametrize(
    "fields",
    [{}, {"train_size": 50, "dev_size": 7}, {"without": "dev.tsv", "mask": "words"}, {"documents": "line", "dev": 0.5}],
    ids=str,
)
def test_streamed_examples_are_those_in_memory(fields: dict[str, Any], prepared: Prepared) -> None:
    held, streamed = prepared(**fields), prepared(stream=True, **fields)
    assert streamed.fingerprint == held.fingerprint
    for name in (
        "description",
        "contents",
        "tokenizer",
        "vocab_size",
        "pad_id",
        "max_length",
        "label_names",
        "metrics",
    ):
        assert getattr(streamed, name) == getattr(held, name), name
    np.testing.assert_array_equal(streamed.positions, held.positions)
    assert isinstance(streamed.train.ids, TokenFile)
    order = epoch_batches(held.train.lengths, 8, seed=3, epoch=2)
    assert all(map(np.array_equal, epoch_batches(streamed.train.lengths, 8, seed=3, epoch=2), order))
    some = order[1][::2]
    for chosen, ways in ((order[1], (held.train, streamed.train)), (np.arange(2), (held.dev, streamed.dev))):
        check_batches(ways, chosen, held, streamed)
    parts = [copied(part(data.train, some), np.arange(len(some))) for data in (held, streamed)]
    check_batches((parts[0], parts[1]), np.arange(len(some)), held, streamed)


def check_batches(splits: tuple[Any, Any], chosen: Any, held: TokenisedTask, streamed: TokenisedTask) -> None:
    both = [
        Reader(torch.device("cpu"), data.pad_id, data.masking).read(split, chosen, drawn_by=(3, 2), least=26)
        for split, data in zip(splits, (held, streamed), strict=True)
    ]
    for name in ("input_ids", "attention_mask", "token_type_ids", "places"):
        one, other = (getattr(batch.inputs, name) for batch in both)
        assert torch.equal(one, other), name
    assert torch.equal(both[0].labels, both[1].labels)
    assert both[0].targets is not None
    assert both[1].targets is not None
    assert torch.equal(both[0].targets, both[1].targets)


def test_a_text_that_changes_while_it_is_read_is_not_kept(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, load = Path("a.txt").read_bytes(), Corpus.load

    def load_and_grow(self: Corpus) -> Any:
        found = load(self)
        Path("a.txt").write_bytes(whole + b"\nand one line more .\n")
        return found

    monkeypatch.setattr(Corpus, "load", load_and_grow)
    with pytest.raises(InputError, match="changed while it was read"):
        prepared(stream=True)
    monkeypatch.setattr(Corpus, "load", load)
    Path("a.txt").write_bytes(whole)
    assert prepared(stream=True).fingerprint == prepared().fingerprint


def test_a_text_that_may_be_read_alone_is_used(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that several users share: who finds the tokens there needs no lock."""
    first = prepared(stream=True)
    assert the_folder().stat().st_mode & 0o055 == 0o055
    monkeypatch.setattr("greenexp.tasks.token_store._locked", lambda _: pytest.fail("nothing is written"))
    assert prepared(stream=True).fingerprint == first.fingerprint


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "no locks")], ids=repr)
def test_without_locks_the_draft_of_another_process_stays(
    error: Exception, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = the_folder_of(prepared).name
    shutil.rmtree(tokens_folder())
    draft = tokens_folder() / f".draft-{key}-of-another"
    draft.mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("greenexp.tasks.token_store.FileLock.acquire", refuse)
    assert prepared(stream=True).fingerprint == prepared().fingerprint
    assert draft.is_dir()


def test_a_lock_that_may_not_be_taken_is_an_error(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, "made up")

    monkeypatch.setattr("greenexp.tasks.token_store.FileLock.acquire", refuse)
    with pytest.raises(StateError, match="made up"):
        prepared(stream=True)


def the_folder_of(prepared: Prepared) -> Path:
    prepared(stream=True)
    return next(one for one in tokens_folder().iterdir() if one.is_dir() and not one.name.startswith("."))


def test_a_field_is_named_as_without_files(prepared: Prepared) -> None:
    told: list[str] = []
    for stream in (False, True):
        with pytest.raises(InputError) as caught:
            prepared(stream=stream, dev=0.0001)
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_older_settings_keep_their_fingerprint() -> None:
    """What a corpus was described by when it had no `stream`: it is part of every trial's fingerprint."""
    plain = {
        "name": "corpus", "files": "a.txt", "documents": "blank_line", "dev": 0.05, "words": 90, "mask": "tokens",
        "without": "", "vocabulary": 30_000, "train_size": None, "dev_size": None,
    }  # fmt: skip
    few = {"name": "corpus", "files": "a.txt", "without": ""}
    for given in (few, {**few, "stream": False}):
        assert check_plugin("task", given, TASKS).settings == plain
    assert check_plugin("task", {**few, "stream": True}, TASKS).settings == plain | {"stream": True}


def test_a_text_is_read_once_and_again_when_it_is_another(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    first, read = prepared(stream=True), []
    load = Corpus.load
    monkeypatch.setattr(Corpus, "load", lambda self: read.append(1) or load(self))
    assert prepared(stream=True).fingerprint == first.fingerprint
    assert not read
    with Path("a.txt").open("a", encoding="utf-8") as file:
        file.write("\n\nOne more. And one more.\n")
    assert prepared(stream=True).fingerprint != first.fingerprint
    assert prepared(stream=True, max_length=9).train.lengths.max() == 9
    assert len(read) == 2


def cut_off(folder: Path) -> None:
    path = folder / "train.ids"
    path.write_bytes(path.read_bytes()[:-4])


def changed(folder: Path) -> None:
    content = bytearray((folder / "dev.type_ids").read_bytes())
    content[5] ^= 1
    (folder / "dev.type_ids").write_bytes(content)


def foreign(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["key"] = "0" * 32
    (folder / MANIFEST).write_text(json.dumps(manifest))


def half_written(folder: Path) -> None:
    folder.rename(folder.with_name(f".draft-{folder.name}-killed"))


def not_text(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b"\xff[")


@pytest.mark.parametrize("damage", [cut_off, changed, foreign, half_written, not_text])
def test_what_is_not_whole_is_made_again(damage: Callable[[Path], None], prepared: Prepared) -> None:
    expected = prepared(stream=True).fingerprint
    folder = the_folder()
    damage(folder)
    assert read_tokens(folder) is None
    found = prepared(stream=True)
    assert (found.fingerprint, found.train.ids[:3].tolist()) == (expected, prepared().train.ids[:3].tolist())
    assert [one for one in tokens_folder().iterdir() if one.is_dir()] == [folder]


@pytest.mark.parametrize("most_b", [500, 20_000], ids=["texts", "tokens"])
def test_a_disk_that_is_full(most_b: int, prepared: Prepared) -> None:
    """A limit on the size of files is as good as a full disk. The texts come to 18,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_b, before[1]))
    try:
        with pytest.raises(StateError, match=r"File too large"):
            prepared(stream=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [one for one in tokens_folder().iterdir() if one.is_dir()]
    assert prepared(stream=True).fingerprint == prepared().fingerprint


def test_two_at_once_make_it_once(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the lock by an open file of its own, as two processes have."""
    load, read, found = Corpus.load, [], []

    def slow(corpus: Corpus) -> Any:
        read.append(1)
        time.sleep(0.1)
        return load(corpus)

    monkeypatch.setattr(Corpus, "load", slow)
    both = [threading.Thread(target=lambda: found.append(prepared(stream=True).fingerprint)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(read) == 1
    assert found[0] == found[1]


def test_tokens_of_another_machine(prepared: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = prepared(stream=True)
    sent, folder = pickle.dumps(here), the_folder()
    assert len(sent) < sum(len(split.ids) for split in (here.train, here.dev)) * 4
    elsewhere = folder.rename(tmp_path / folder.name)
    there = pickle.loads(sent)  # noqa: S301
    with pytest.raises(StateError, match=r"No such file"):
        there.train.ids[:1]
    install_tokens(folder.name, lambda draft: shutil.copytree(elsewhere, draft, dirs_exist_ok=True))
    assert there.train.ids[:9].tolist() == prepared().train.ids[:9].tolist()
    install_tokens(folder.name, lambda draft: pytest.fail("they are there"))
    with pytest.raises(StateError, match="did not arrive whole"):
        install_tokens("1" * 32, lambda draft: shutil.copytree(elsewhere, draft, dirs_exist_ok=True))
    (folder / "train.ids").write_bytes(b"1234")
    with pytest.raises(StateError, match="shorter than it was written"):
        pickle.loads(sent).train.ids[:9]  # noqa: S301


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (b"One.\n\xff two.", {}, r"a\.txt:2: not UTF-8 \(byte 0xff\)"),
        (b"One. Two.", {"without": "*.md"}, r"no file fits '\*\.md'"),
        (b"One. Two.", {"dev": 1e-9}, "falls into dev"),
    ],
)
def test_what_is_refused_leaves_nothing(
    content: bytes, fields: dict[str, Any], message: str, prepared: Prepared
) -> None:
    Path("a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        prepared(stream=True, **fields)
    assert not [one for one in tokens_folder().glob("*") if one.is_dir()]
