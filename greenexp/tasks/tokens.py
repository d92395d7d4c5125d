"""Texts to token ids: flat arrays that cross a process border without being copied."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from greenexp.errors import InputError
from greenexp.tasks.contents import SplitContents, split_contents
from greenexp.tasks.data import Labels, Split, TaskData
from greenexp.tasks.masking import MASKS, Masking
from greenexp.tasks.partition import positions
from greenexp.tasks.token_files import Array, TokenFile, Tokens

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
MOST_WORDS = 30_000
"""Words of a tokeniser that is made of a task's texts, where nobody says how many."""
_PADS = ("[PAD]", "<pad>")
_BLOCK = 2048
"""Examples that are tokenised together."""


@dataclass(frozen=True, eq=False)
class TokenisedSplit:
    """Token ids of a split, all examples behind one another.

    ids: int32 [token]; offsets: int64 [example + 1]: example i is `ids[offsets[i]:offsets[i + 1]]`
    type_ids: int8 [token], 1 in the second text, or None where there are no pairs. Both may be in files
    labels: int64 or float32 [example]; columns: as in `Split`
    rows: int64 [example], which examples of `ids` and `offsets` these are, in their order; None: all of them. Whoever
        reads the arrays goes through it; labels and columns are those of the examples meant
    Arrays may be read-only views of shared memory: never write into them.
    """

    ids: Tokens
    offsets: npt.NDArray[np.int64]
    labels: Labels
    type_ids: Tokens | None = None
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    rows: npt.NDArray[np.int64] | None = None

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example, special tokens included: int64 [example]."""
        every = np.diff(self.offsets)
        return every if self.rows is None else every[self.rows]

    def numbers(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The examples `indices` by their numbers in `ids` and `offsets`, whatever part of them this is."""
        return indices if self.rows is None else self.rows[indices]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class TokenisedTask:
    """All a trial needs to know about its task.

    fingerprint: sha256 over every id and label; a checkpoint belongs to one
    description: what the task says about itself: where its texts come from, which subsets were taken
    tokenizer: what made the ids, as JSON text of the library `tokenizers`, cutting off at `max_length` tokens; whoever
        serves the model reads with it
    positions: [training example] where the hash of its texts falls in [0, 1), for folds; None: not known
    contents: split -> what is in it, before folds; empty: not known
    masking: how tokens are masked, for exits that predict some; None: the task has none to be predicted
    """

    train: TokenisedSplit
    dev: TokenisedSplit
    test: TokenisedSplit | None
    num_labels: int
    label_names: tuple[str, ...]
    metrics: tuple[str, ...]
    pad_id: int
    vocab_size: int
    fingerprint: str
    description: str = ""
    tokenizer: str = ""
    max_length: int = 0
    positions: npt.NDArray[np.float64] | None = None
    contents: Mapping[str, SplitContents] = field(default_factory=dict)
    masking: Masking | None = None

    reads: ClassVar[Literal["texts"]] = "texts"
    augmentation: ClassVar[None] = None

    @property
    def pairs(self) -> bool:
        """Whether an example is two texts."""
        return self.train.type_ids is not None


class TokenSink(Protocol):
    """Where the tokens of a split go, a block of examples at a time."""

    def add(self, tokens: Array) -> None:
        """Some more tokens: they come behind those that were added before."""

    def done(self) -> Tokens:
        """All of them; nothing is added after it."""


Keep = Callable[[str, npt.DTypeLike], TokenSink]
"""Name of an array, such as `train.ids`, and its type -> where it goes."""


class TokensInMemory:
    """The sink of everything that fits into memory."""

    def __init__(self, _name: str, dtype: npt.DTypeLike) -> None:
        self._blocks: list[Array] = [np.empty(0, dtype=dtype)]

    def add(self, tokens: Array) -> None:
        """See `TokenSink`."""
        self._blocks.append(tokens)

    def done(self) -> Array:
        """See `TokenSink`."""
        return np.concatenate(self._blocks)


def word_tokenizer(texts: Iterable[str], max_words: int = MOST_WORDS, *, masks: bool = False) -> Tokenizer:
    """A tokenizer with one token per lower-case word of `texts`, for encoders without weights of their own.

    Ids follow falling frequency, then the alphabet, so equal texts give equal ids. Words beyond the `max_words` most
    frequent, and words not in `texts`, become `[UNK]`.
    masks: whether there is a token `[MASK]`
    """
    specials = (*SPECIAL_TOKENS, *MASKS[:1]) if masks else SPECIAL_TOKENS
    split, lower = pre_tokenizers.Whitespace(), normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    counts = Counter(word for text in texts for word, _ in split.pre_tokenize_str(lower.normalize_str(text)))
    for special in specials:
        counts.pop(special, None)
    words = sorted(counts, key=lambda word: (-counts[word], word))[:max_words]
    vocabulary = {token: i for i, token in enumerate((*specials, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = lower
    tokenizer.pre_tokenizer = split
    tokenizer.add_special_tokens(list(specials))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def tokenise(task: TaskData, tokenizer: Any, max_length: int, keep: Keep = TokensInMemory) -> TokenisedTask:
    """`task` in the ids of `tokenizer`, truncated to `max_length` tokens (the longer text of a pair first).

    tokenizer: of the library `tokenizers`, or a transformers tokenizer built on one
    keep: where the tokens go
    Raises InputError when it has no padding token, or when `max_length` leaves no room for text.
    """
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(fast, Tokenizer):
        raise InputError(f"{type(tokenizer).__name__} is not built on the library `tokenizers`: use the fast tokenizer")
    own = Tokenizer.from_str(fast.to_str())  # truncation is a setting of the tokenizer: not of the caller's
    pad_id = getattr(tokenizer, "pad_token_id", None)
    pad_id = _pad_id(own) if pad_id is None else int(pad_id)
    is_pair = task.train.pairs is not None
    special = own.num_special_tokens_to_add(is_pair)
    if max_length <= special + is_pair:
        raise InputError(
            f"max_length is {max_length}: {special} tokens are special, so at least {special + 1 + is_pair}"
        )
    own.no_padding()
    own.enable_truncation(max_length, strategy="longest_first")
    made = {name: _tokenise_split(name, split, own, keep) for name, split in task.splits.items()}
    splits = {name: split for name, (split, _) in made.items()}
    masking = None if task.masking is None else Masking.of(own, whole_words=task.masking == "words")
    return TokenisedTask(
        train=splits["train"],
        dev=splits["dev"],
        test=splits.get("test"),
        num_labels=task.num_labels,
        label_names=task.label_names,
        metrics=task.metrics,
        pad_id=pad_id,
        vocab_size=own.get_vocab_size(with_added_tokens=True),
        fingerprint=_fingerprint(splits, masking),
        description=task.description,
        tokenizer=own.to_str(),
        max_length=max_length,
        positions=positions(task.train.texts, task.train.pairs, purpose="folds"),
        contents=split_contents(task, {name: truncated for name, (_, truncated) in made.items()}),
        masking=masking,
    )


def _pad_id(tokenizer: Tokenizer) -> int:
    if tokenizer.padding is not None:
        return int(tokenizer.padding["pad_id"])
    ids = [tokenizer.token_to_id(token) for token in _PADS]
    found = next((i for i in ids if i is not None), None)
    if found is None:
        raise InputError(f"the tokenizer has no padding token: neither {' nor '.join(_PADS)} is in its vocabulary")
    return int(found)


def _tokenise_split(name: str, split: Split, tokenizer: Tokenizer, keep: Keep) -> tuple[TokenisedSplit, int]:
    """The ids of a split, and how many of its examples were cut."""
    offsets, truncated, examples = np.zeros(len(split) + 1, dtype=np.int64), 0, 0
    ids = keep(f"{name}.ids", np.int32)
    types = None if split.pairs is None else keep(f"{name}.type_ids", np.int8)
    for texts in _blocks(split):
        encodings = tokenizer.encode_batch(texts)
        lengths = offsets[1 + examples : 1 + examples + len(encodings)]
        lengths[:] = [len(encoding.ids) for encoding in encodings]
        examples += len(encodings)
        ids.add(np.concatenate([np.asarray(encoding.ids, dtype=np.int32) for encoding in encodings]))
        if types is not None:
            types.add(np.concatenate([np.asarray(encoding.type_ids, dtype=np.int8) for encoding in encodings]))
        truncated += sum(bool(encoding.overflowing) for encoding in encodings)
    made = TokenisedSplit(
        ids=ids.done(),
        offsets=np.cumsum(offsets, out=offsets),
        labels=split.labels,
        type_ids=None if types is None else types.done(),
        columns=dict(split.columns),
    )
    return made, truncated


def _blocks(split: Split) -> Iterator[list[Any]]:
    """The texts of a split, or its pairs of them, some examples at a time."""
    texts = iter(split.texts) if split.pairs is None else zip(split.texts, split.pairs, strict=True)
    while block := list(islice(texts, _BLOCK)):
        yield block


def _fingerprint(splits: Mapping[str, TokenisedSplit], masking: Masking | None) -> str:
    digest = hashlib.sha256()
    for name, split in sorted(splits.items()):
        digest.update(name.encode())
        for array in (split.ids, split.offsets, split.labels, split.type_ids):
            if array is None:
                digest.update(b"-")
            for block in array.blocks() if isinstance(array, TokenFile) else () if array is None else (array,):
                digest.update(np.ascontiguousarray(block).data)
    if masking is not None:
        digest.update(masking.digest())
    return digest.hexdigest()
