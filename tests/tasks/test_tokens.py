"""Token ids: what comes out is what went in, for single texts and pairs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from greenexp.errors import InputError
from greenexp.tasks import Split, TaskData
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.tokens import SPECIAL_TOKENS, tokenise, word_tokenizer

TEXTS = ["the plot is clever", "The Plot, the plot!", "a long text that goes on and on", "dull"]


def data(pairs: list[str] | None = None) -> TaskData:
    part = Split(TEXTS, np.array([0, 1, 0, 1]), pairs, {"level": np.arange(4)})
    return TaskData(train=part, dev=part, test=None, num_labels=2, label_names=("a", "b"))


def test_ids_spell_the_texts() -> None:
    tokenizer = word_tokenizer(TEXTS)
    tokens = tokenise(data(), tokenizer, max_length=32)
    words = [tokenizer.id_to_token(int(i)) for i in tokens.train.ids]
    texts = [" ".join(words[a:b]) for a, b in zip(tokens.train.offsets, tokens.train.offsets[1:], strict=False)]
    assert texts[0] == "[CLS] the plot is clever [SEP]"
    assert texts[1] == "[CLS] the plot , the plot ! [SEP]"
    assert tokens.train.lengths.tolist() == [6, 8, 10, 3]
    assert tokens.train.type_ids is None
    assert tokens.train.columns["level"].tolist() == [0, 1, 2, 3]
    assert (tokens.pad_id, tokens.num_labels, tokens.test) == (0, 2, None)
    assert tokens.vocab_size == tokenizer.get_vocab_size() == tokens.train.ids.max() + 1


def test_pairs_have_types_and_share_the_room() -> None:
    pairs = ["short", "the plot is clever", "on and on and on and on", "the"]
    tokens = tokenise(data(pairs), word_tokenizer([*TEXTS, *pairs]), max_length=12)
    first = slice(0, int(tokens.train.offsets[1]))
    assert tokens.train.type_ids is not None
    assert tokens.train.type_ids[first].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert tokens.train.lengths.max() == 12


def test_truncation_is_ours_alone() -> None:
    tokenizer = word_tokenizer(TEXTS)
    tokens = tokenise(data(), tokenizer, max_length=5)
    assert tokens.train.lengths.tolist() == [5, 5, 5, 3]
    assert tokenizer.truncation is None


@pytest.mark.parametrize(("pairs", "least"), [(None, 3), (["a", "b", "c", "d"], 5)])
def test_too_short_a_length_is_refused(pairs: list[str] | None, least: int) -> None:
    tokenizer = word_tokenizer(TEXTS)
    tokenise(data(pairs), tokenizer, max_length=least)
    with pytest.raises(InputError, match=f"at least {least}"):
        tokenise(data(pairs), tokenizer, max_length=least - 1)


def test_vocabulary_depends_on_the_texts_alone() -> None:
    one, two = word_tokenizer(TEXTS), word_tokenizer(reversed(TEXTS))
    assert one.get_vocab() == two.get_vocab()
    assert [one.id_to_token(i) for i in range(4)] == list(SPECIAL_TOKENS)
    assert [one.id_to_token(i) for i in (4, 5, 6, 7)] == ["plot", "the", "on", "!"]


def test_rare_and_unknown_words() -> None:
    tokenizer = word_tokenizer(TEXTS, max_words=1)
    assert tokenizer.encode("plot the unheard").tokens == ["[CLS]", "plot", "[UNK]", "[UNK]", "[SEP]"]


def test_special_tokens_in_a_text_do_not_break_the_vocabulary() -> None:
    tokenizer = word_tokenizer(["[PAD] [SEP] x"])
    assert tokenizer.token_to_id("[PAD]") == 0


def test_pad_token_is_found_or_demanded() -> None:
    roberta_like = Tokenizer(models.WordLevel({"<s>": 0, "<pad>": 1, "the": 2, "[UNK]": 3}, unk_token="[UNK]"))
    assert tokenise(data(), roberta_like, 8).pad_id == 1
    with pytest.raises(InputError, match="no padding token"):
        tokenise(data(), Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")), 8)
    with pytest.raises(InputError, match="library"):
        tokenise(data(), object(), 8)


def test_a_transformers_tokenizer_is_taken_too() -> None:
    import transformers

    plain = word_tokenizer(TEXTS)
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="[PAD]")
    assert tokenise(data(), wrapped, 16).fingerprint == tokenise(data(), plain, 16).fingerprint


def test_pickles_and_fingerprints() -> None:
    task = Clauses(train=40, dev=20, test=20).load()
    tokenizer = word_tokenizer(task.train.texts)
    tokens = tokenise(task, tokenizer, 32)
    copy = pickle.loads(pickle.dumps(tokens))  # noqa: S301 - our own bytes
    assert np.array_equal(copy.train.ids, tokens.train.ids)
    assert tokens.fingerprint == tokenise(task, tokenizer, 32).fingerprint
    assert tokens.fingerprint != tokenise(task, tokenizer, 8).fingerprint
    other = tokenise(Clauses(train=40, dev=20, test=20, seed=1).load(), tokenizer, 32)
    assert tokens.fingerprint != other.fingerprint
