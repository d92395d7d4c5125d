"""Which tokens are masked, and what they depend on."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from greenexp.errors import InputError
from greenexp.records.masking import NOT_MASKED, masked_places
from greenexp.tasks.masking import MaskedBatch, Masking
from greenexp.tasks.tokens import word_tokenizer

LENGTHS = np.array([40, 25, 3, 39])
WORDS = word_tokenizer([" ".join(f"w{number}" for number in range(60))], masks=True)
MASK = WORDS.token_to_id("[MASK]")


def ids(rows: int = 4) -> np.ndarray:
    """Sequences of words between the special tokens, of other lengths, padded with 0."""
    rng = np.random.default_rng(0)
    found = rng.integers(5, 65, (rows, 40))
    for row, length in zip(found, np.resize(LENGTHS, rows), strict=True):
        row[[0, length - 1]], row[length:] = (2, 3), 0
    return found


def masked(whole: bool = False, seed: int = 0, epoch: int = 1) -> MaskedBatch:
    return Masking.of(WORDS, whole_words=whole).masked(ids(), LENGTHS, np.arange(4), seed, epoch)


def test_the_share_is_that_of_bert_and_special_tokens_stay() -> None:
    batch, before = masked(), ids()
    counts = (batch.targets != NOT_MASKED).sum(axis=1)
    assert counts.tolist() == [min(masked_places(length), length - 2) for length in LENGTHS.tolist()] == [6, 4, 1, 6]
    for row, (places, targets) in enumerate(zip(batch.places, batch.targets, strict=True)):
        chosen = places[targets != NOT_MASKED]
        assert len(set(chosen)) == len(chosen)
        assert (before[row, chosen] == targets[: len(chosen)]).all()
        assert (before[row, chosen] >= 5).all()
        others = np.delete(np.arange(40), chosen)
        assert (batch.input_ids[row, others] == before[row, others]).all()


def test_eight_tenths_are_masked_and_one_tenth_is_another_token() -> None:
    rows = 3_000
    lengths = np.full(rows, 40)
    before = ids(rows)
    before[:, -1] = 3
    batch = Masking.of(WORDS, whole_words=False).masked(before, lengths, np.arange(rows), 0, 1)
    there = np.take_along_axis(batch.input_ids, batch.places, axis=1)[batch.targets != NOT_MASKED]
    targets = batch.targets[batch.targets != NOT_MASKED]
    assert (there == MASK).mean() == pytest.approx(0.8, abs=0.02)
    # One of sixty drawn tokens is the one that stood there.
    assert (there == targets).mean() == pytest.approx(0.1 + 0.1 / 60, abs=0.02)
    assert there.min() >= MASK


def test_masks_depend_on_seed_epoch_and_row_and_not_on_the_batch() -> None:
    masking, whole = Masking.of(WORDS, whole_words=False), masked()
    alone = masking.masked(ids()[1:2, :30], LENGTHS[1:2], np.array([1]), 0, 1)
    assert (alone.input_ids[0] == whole.input_ids[1, :30]).all()
    for other in (masked(epoch=2), masked(seed=1)):
        assert (other.input_ids != whole.input_ids).any()
    assert (masked().input_ids == whole.input_ids).all()


def test_whole_words_are_masked_or_left() -> None:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdef", *(f"##{letter}" for letter in "uvwxyz")]
    tokenizer = Tokenizer(models.WordPiece({token: number for number, token in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(pieces[:5])
    rng = np.random.default_rng(1)
    words = [[rng.integers(5, 11), *rng.integers(11, 17, rng.integers(0, 3))] for _ in range(20)]
    row = np.array([2, *(piece for word in words for piece in word), 3])
    number_of = np.repeat(np.arange(20), [len(word) for word in words])
    for epoch in range(1, 20):
        batch = Masking.of(tokenizer, whole_words=True).masked(row[None], np.array([len(row)]), np.array([7]), 0, epoch)
        chosen = batch.places[0][batch.targets[0] != NOT_MASKED]
        touched = np.unique(number_of[chosen - 1])
        assert len(chosen) == sum(len(words[number]) for number in touched)
        assert masked_places(len(row)) - 2 <= len(chosen) <= masked_places(len(row))


def test_a_word_that_is_longer_than_the_share_is_cut() -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "[MASK]": 1, "a": 2, "##b": 3}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[UNK]", "[MASK]"])
    row = np.array([[2, *[3] * 9]])
    batch = Masking.of(tokenizer, whole_words=True).masked(row, np.array([10]), np.array([0]), 0, 1)
    assert batch.places.tolist() == [[0, 1]]


def test_nothing_but_special_tokens_leaves_nothing_to_predict() -> None:
    for whole in (False, True):
        batch = Masking.of(WORDS, whole_words=whole).masked(np.array([[2, 1, 3]]), np.array([3]), np.array([0]), 0, 1)
        assert (batch.targets == NOT_MASKED).all()


def test_tokenizers_that_cannot_be_masked() -> None:
    with pytest.raises(InputError, match="no mask token"):
        Masking.of(word_tokenizer(["a b"]), whole_words=False)
    letters = Tokenizer(models.BPE({"<mask>": 0, "a": 1}, []))
    assert Masking.of(letters, whole_words=False).mask_id == 0
    with pytest.raises(InputError, match="only WordPiece"):
        Masking.of(letters, whole_words=True)
