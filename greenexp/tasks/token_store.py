"""The cache of tokenised texts that need not fit into memory: a folder each, whole or not there, checked by hash."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from filelock import FileLock

from greenexp.durable import sync_folder
from greenexp.errors import StateError
from greenexp.records.values import canonical_json
from greenexp.tasks.contents import SplitContents
from greenexp.tasks.masking import Masking
from greenexp.tasks.token_files import Array, TokenFile, tokens_folder
from greenexp.tasks.tokens import Keep, TokenisedSplit, TokenisedTask

MANIFEST, ARRAYS = "tokens.json", "arrays.npz"
FORMAT = 1
"""To be raised where the same text would give other tokens, or the files another meaning."""
_DRAFT, _LOCK = ".draft-", ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
_BLOCK_B = 1 << 20
_FIELDS = (
    "num_labels", "label_names", "metrics", "pad_id", "vocab_size", "fingerprint", "description", "tokenizer",
    "max_length",
)  # fmt: skip


class FileSink:
    """The sink of tokens that go to a file of a folder."""

    def __init__(self, folder: Path, name: str, dtype: npt.DTypeLike) -> None:
        self._folder, self._name, self._dtype, self._size = folder, name, np.dtype(dtype), 0
        (folder / name).touch()

    def add(self, tokens: Array) -> None:
        """See `tokens.TokenSink`."""
        with (self._folder / self._name).open("ab") as file:
            file.write(np.ascontiguousarray(tokens, dtype=self._dtype).data)
        self._size += len(tokens)

    def done(self) -> TokenFile:
        """See `tokens.TokenSink`; the file is on disk then."""
        with (self._folder / self._name).open("ab") as file:
            os.fsync(file.fileno())
        return TokenFile(self._folder, self._name, self._dtype.str, self._size)


def tokens_key(content: Sequence[Any], tokenizer: Any) -> str:
    """The name of a tokenised text in the cache.

    content: what it was made from and how, as JSON values; tokenizer: of the library `tokenizers` or of transformers,
    or None where one is made of the text. Other versions of what cuts and spells texts make other tokens.
    """
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    own = None if fast is None else [fast.to_str(), getattr(tokenizer, "pad_token_id", None)]
    versions = [FORMAT, tokenizers.__version__, unicodedata.unidata_version]
    return hashlib.sha256(canonical_json([*versions, *content, own]).encode()).hexdigest()[:32]


def kept_tokens(key: str, make: Callable[[Keep], TokenisedTask]) -> TokenisedTask:
    """The tokenised task of this key, from the cache if it is there whole, else made and put there.

    make: tokenises into the files that it is given. Where another process makes it now, that one is waited for.
    Raises StateError where the disk does not take it, and what `make` raises; nothing then stays.
    """
    folder = tokens_folder() / key
    found = read_tokens(folder)  # before the lock: whoever may read a text need not be able to write it
    if found is not None:
        return found
    with _refusing(folder):
        with _locked(folder) as alone:
            found = read_tokens(folder)
            if found is None:
                with _draft(folder, clear=alone) as draft:
                    _write(draft, key, make(lambda name, dtype: FileSink(draft, name, dtype)))
                found = read_tokens(folder)
        if found is None:
            raise StateError(f"the tokens in {folder} are not what was written there: the disk may be damaged")
    return found


def install_tokens(key: str, fill: Callable[[Path], None]) -> None:
    """Put tokens of another machine into this one's cache, unless they are there whole: `fill` writes all files.

    Raises StateError where the disk does not take them or they did not arrive whole.
    """
    folder = tokens_folder() / key
    with _refusing(folder), _locked(folder) as alone:
        if read_tokens(folder) is None:
            with _draft(folder, clear=alone) as draft:
                fill(draft)
                if not _is_whole(draft, key):
                    raise StateError(f"the tokens for {folder} did not arrive whole")


def read_tokens(folder: Path) -> TokenisedTask | None:
    """The task in a folder of the cache; None where it is not there, damaged, or another's. Every byte is checked."""
    if not _is_whole(folder, folder.name):
        return None
    described = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["task"]
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        arrays = dict(stored)
    fields: dict[str, Any] = {name: described[name] for name in _FIELDS}
    fields |= {name: tuple(fields[name]) for name in ("label_names", "metrics")}
    fields |= {name: _split(folder, name, tokens, arrays) for name, tokens in described["tokens"].items()}
    masking = None
    if described["mask_id"] is not None:
        masking = Masking(described["mask_id"], arrays["special"], arrays.get("continues"))
    contents = {name: SplitContents(**one) for name, one in described["contents"].items()}
    return TokenisedTask(
        **{"test": None, **fields}, positions=arrays.get("positions"), contents=contents, masking=masking
    )


def _split(folder: Path, name: str, tokens: Mapping[str, list[Any]], arrays: Mapping[str, Array]) -> TokenisedSplit:
    files = {field: TokenFile(folder, f"{name}.{field}", dtype, size) for field, (dtype, size) in tokens.items()}
    return TokenisedSplit(
        ids=files["ids"],
        offsets=arrays[f"{name}.offsets"],
        labels=arrays[f"{name}.labels"],
        type_ids=files.get("type_ids"),
    )


def _write(draft: Path, key: str, task: TokenisedTask) -> None:
    """All but the tokens, which are there already; the manifest at last."""
    splits = {name: split for name in ("train", "dev", "test") if (split := getattr(task, name)) is not None}
    arrays: dict[str, Array | None] = {"positions": task.positions}
    tokens: dict[str, Any] = {}
    for name, split in splits.items():
        if split.columns or split.rows is not None:
            raise ValueError("a split with columns, or a part of one, has no place in the cache of tokens")
        arrays |= {f"{name}.offsets": split.offsets, f"{name}.labels": split.labels}
        both = {"ids": split.ids, "type_ids": split.type_ids}
        tokens[name] = {field: [one.dtype.str, len(one)] for field, one in both.items() if one is not None}
    if task.masking is not None:
        arrays |= {"special": task.masking.special, "continues": task.masking.continues}
    with (draft / ARRAYS).open("wb") as file:
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    described = {
        **{name: getattr(task, name) for name in _FIELDS},
        "tokens": tokens,
        "contents": {name: dataclasses.asdict(one) for name, one in task.contents.items()},
        "mask_id": None if task.masking is None else task.masking.mask_id,
    }
    files = {path.name: [path.stat().st_size, _digest(path)] for path in sorted(draft.iterdir())}
    manifest = {"key": key, "files": files, "task": described}
    text = json.dumps({**manifest, "digest": _own_digest(manifest)})
    with (draft / MANIFEST).open("w", encoding="utf-8") as file_of_text:
        file_of_text.write(text)
        file_of_text.flush()
        os.fsync(file_of_text.fileno())


def _is_whole(folder: Path, key: str) -> bool:
    """Whether every file of the folder's manifest is as it was written, for this key."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wanted = manifest.pop("digest")
        if manifest["key"] != key or wanted != _own_digest(manifest):
            return False
        files = [(folder / name, *facts) for name, facts in manifest["files"].items()]
        if any(path.stat().st_size != size_b for path, size_b, _ in files):
            return False
        return all(_digest(path) == digest for path, _, digest in files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _own_digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(manifest).encode()).hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_B):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _draft(folder: Path, *, clear: bool) -> Iterator[Path]:
    """A folder to write into, which gets the name `folder` at the end; what was there before, damaged, goes.

    clear: whether drafts that lie there go, as they are of processes that were killed
    """
    for left in folder.parent.glob(f"{_DRAFT}{folder.name}-*") if clear else ():
        shutil.rmtree(left, ignore_errors=True)
    draft = folder.parent / f"{_DRAFT}{folder.name}-{secrets.token_hex(8)}"
    draft.mkdir()  # as readable as the user's umask says
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        sync_folder(draft)
        draft.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """True, and one process at a time; where the file system has no locks, False for all, and the last one's stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}{_LOCK}"))
    try:
        with contextlib.suppress(NotImplementedError):  # what filelock says where the file system has none
            lock.acquire()
    except OSError as error:  # what NFS without its lock service says
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield lock.is_locked
    finally:
        lock.release()


@contextlib.contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"tokens cannot be kept in {folder}: {error.strerror or error}; XDG_CACHE_HOME names another disk"
        ) from error
