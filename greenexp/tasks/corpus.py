"""Text without labels, for pre-training: neighbouring passages in order or swapped, and tokens to be masked."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from greenexp.errors import InputError, about_field, user_path
from greenexp.registry import LATER
from greenexp.tasks.data import Split, TaskData
from greenexp.tasks.labelled import Share, Size
from greenexp.tasks.partition import normalised, position_of, subset
from greenexp.tasks.spool import PassageSpool
from greenexp.tasks.text_files import file_digest, lines_of
from greenexp.tasks.token_files import tokens_folder
from greenexp.tasks.tokens import MOST_WORDS

LABEL_NAMES = ("in_order", "swapped")
_ENDS = re.compile(r"""(?<=[.!?])\s+|(?<=[.!?]["')\]])\s+""")
_DOCUMENTS = "documents"
_LEAST_WORDS = 5
"""A shorter sentence may stand in many texts without being taken from any."""

Passages = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Documents from text files, made into examples of pre-training: masked tokens and sentence order.

    A document is cut into sentences, after `.`, `!` or `?` and at line ends, and these into stretches of at most
    `words` words, but of at least two sentences. A stretch is cut between two sentences into two passages, which stand
    in order (class `in_order`) or the other way round (`swapped`); where it is cut and which of the two is drawn from a
    hash of its text (ALBERT, Lan et al., ICLR 2020, section 3.1). A sentence that is left alone at the end of a
    document is left out. Tokens are masked while training, anew in every epoch, by the trial's order seed; on dev they
    are the same at every evaluation. Only `elasticbert_pretraining` predicts them; other methods learn the order.

    A document occurs once, however often it is repeated. All examples of a document are in one split.

    files: text files in UTF-8, `.gz` if they end so, or patterns such as `wiki/*.txt`; read one after the other
    documents: what divides them: a `blank_line`, every `line` is one, or every `file`
    dev: the share of documents that is cut off by a hash of the text
    words: words of an example at most; about three quarters of `training.max_length` for a tokeniser of subwords
    mask: single `tokens`, or all tokens of a word (whole-word masking: `words`)
    without: files, or patterns, whose texts must not be trained on, such as dev and test sets: a sentence of five words
        or more that stands in them (in a line, or between the tabs of one), but for case and punctuation, is left out
    vocabulary: most frequent words that a backbone without a source knows, and predicts; others are unknown to it
    train_size, dev_size: examples of fixed subsets, first by a hash of the text. None: all
    stream: whether tokens are read from files while training, for text that does not fit into memory; the numbers are
        the same
    """

    files: str | tuple[str, ...]
    documents: Literal["blank_line", "line", "file"] = "blank_line"
    dev: Share = 0.05
    words: Annotated[int, Field(ge=2)] = 90
    mask: Literal["tokens", "words"] = "tokens"
    without: str | tuple[str, ...] = ()
    vocabulary: Annotated[int, Field(ge=1)] = MOST_WORDS
    train_size: Size = None
    dev_size: Size = None
    stream: bool = field(default=False, metadata={LATER: True})

    def load(self) -> TaskData:
        """Read the files. Raises InputError with file and line."""
        counts: Counter[str] = Counter()
        with about_field("without"):
            foreign = _sentences_of(_matching(self.without)) if self.without else frozenset()
        made = {name: PassageSpool(tokens_folder()) if self.stream else _Passages() for name in ("train", "dev")}
        with about_field("files"):
            for document, name in self._distinct(counts):
                for passages in map(_ordered, stretches(self._kept(document, foreign, counts), self.words)):
                    made[name].add(*passages)
        splits = {name: _split(passages, name) for name, passages in made.items()}
        return TaskData(
            train=subset(splits["train"], self.train_size, "train"),
            dev=subset(splits["dev"], self.dev_size, "dev"),
            test=None,
            num_labels=2,
            label_names=LABEL_NAMES,
            description=self._about(counts),
            masking=self.mask,
            vocabulary=self.vocabulary,
        )

    def content_digest(self) -> str:
        """A hash of all that is read: equal for equal files in the same order. Raises InputError."""
        digest = hashlib.sha256()
        for of_text in ("files", "without"):
            with about_field(of_text):
                files: str | tuple[str, ...] = getattr(self, of_text)
                for name in _matching(files) if files else ():
                    digest.update(file_digest(name).encode())
            digest.update(b"-")
        return digest.hexdigest()

    def _distinct(self, counts: Counter[str]) -> Iterator[tuple[str, str]]:
        """The documents, each once, in the order of the files, and the split of each."""
        seen: set[bytes] = set()
        for path in _matching(self.files):
            for document in self._documents(lines_of(path)):
                spelling = normalised(document)
                digest = hashlib.sha256(spelling.encode("utf-8", "surrogatepass")).digest()[:16]
                if digest in seen:
                    counts["repeated documents"] += 1
                    continue
                seen.add(digest)
                counts[_DOCUMENTS] += 1
                key = f"documents of dev\n{spelling}\n"
                yield document, "dev" if position_of(key.encode("utf-8", "surrogatepass")) < self.dev else "train"

    def _documents(self, lines: Iterable[str]) -> Iterator[str]:
        """The documents of a file, the only ones of it that are held."""
        held: list[str] = []
        for line in lines:
            ends = self.documents == "line" or (self.documents == "blank_line" and not line.strip(" \t"))
            held.append(line)
            if ends:
                yield from _not_blank("\n".join(held))
                held = []
        yield from _not_blank("\n".join(held))

    def _kept(self, document: str, foreign: frozenset[str], counts: Counter[str]) -> list[str]:
        """The sentences of a document that may be trained on."""
        every = sentences_of(document)
        kept = [sentence for sentence in every if not foreign or normalised(sentence) not in foreign]
        counts["sentences of held-out texts"] += len(every) - len(kept)
        return kept

    def _about(self, counts: Counter[str]) -> str:
        documents = counts.pop(_DOCUMENTS, 0)
        files = [self.files] if isinstance(self.files, str) else self.files
        left_out = "".join(f", without {number} {what}" for what, number in sorted(counts.items()) if number)
        return f"corpus {', '.join(files)}: {documents} documents{left_out}"


def sentences_of(text: str) -> list[str]:
    """The sentences of `text`, by its punctuation and its lines, with single spaces."""
    parts = (part for line in text.split("\n") for part in _ENDS.split(line))
    return [" ".join(part.split()) for part in parts if part.strip()]


def stretches(sentences: Sequence[str], words: int) -> Iterator[list[str]]:
    """Neighbouring sentences of at most `words` words together, but at least two; a last one alone is left out."""
    held: list[str] = []
    size = 0
    for sentence in sentences:
        length = len(sentence.split())
        if len(held) >= 2 and size + length > words:
            yield held
            held, size = [], 0
        held.append(sentence)
        size += length
    if len(held) >= 2:
        yield held


def _ordered(stretch: Sequence[str]) -> tuple[str, str, int]:
    """The two passages of a stretch and their class."""
    digest = hashlib.sha256(" ".join(stretch).encode("utf-8", "surrogatepass")).digest()
    border = 1 + int.from_bytes(digest[:8], "big") % (len(stretch) - 1)
    first, second = " ".join(stretch[:border]), " ".join(stretch[border:])
    swapped = digest[8] & 1
    return (second, first, 1) if swapped else (first, second, 0)


def _not_blank(text: str) -> Iterator[str]:
    if text.strip():
        yield text


class _Passages:
    """What `PassageSpool` does, in memory."""

    def __init__(self) -> None:
        self._firsts: list[str] = []
        self._seconds: list[str] = []
        self._labels: list[int] = []

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, first: str, second: str, label: int) -> None:
        self._firsts.append(first)
        self._seconds.append(second)
        self._labels.append(label)

    def split(self) -> Split:
        return Split(self._firsts, np.array(self._labels, dtype=np.int64), self._seconds)


def _split(made: PassageSpool | _Passages, name: str) -> Split:
    if not len(made):
        raise InputError(f"no document of two sentences or more falls into {name}: give more text, or another share")
    return made.split()


def _matching(files: str | Sequence[str]) -> list[str]:
    """The files that are named, or that fit a pattern, each once, patterns in the order of names."""
    found: dict[Path, str] = {}
    for file in [files] if isinstance(files, str) else files:
        wanted = user_path(file)
        paths = [wanted]
        if not wanted.is_file() and any(sign in file for sign in "*?["):  # else it is the file's own name
            paths = sorted(Path(wanted.anchor).glob(str(wanted.relative_to(wanted.anchor))))
            paths = [path for path in paths if path.is_file()]
        if not paths:
            raise InputError(f"no file fits '{file}' (relative to the working directory {Path.cwd()})")
        for path in paths:
            found.setdefault(path.resolve(), str(path))
    if not found:
        raise InputError("no file is named")
    return list(found.values())


def _sentences_of(files: Iterable[str]) -> frozenset[str]:
    """The sentences of some files, and their whole lines and fields, in one spelling; short ones left out."""
    found: set[str] = set()
    for file in files:
        for line in lines_of(file):
            for part in line.split("\t"):
                found.update(map(normalised, (part, *sentences_of(part))))
    return frozenset(text for text in found if len(text.split()) >= _LEAST_WORDS)
