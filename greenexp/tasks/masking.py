"""Masked tokens: which ones, and what stands in their place, drawn from a seed, the epoch and the example's number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from greenexp.errors import InputError
from greenexp.records.masking import NOT_MASKED, masked_places

MASKS = ("[MASK]", "<mask>")
OF_DEV = (0, 0)
"""Seed and epoch of the masks of a split that is only evaluated; training epochs count from 1."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MaskedBatch:
    """A batch in which tokens were masked.

    input_ids: int64 [example, position]; places, targets: int64 [example, place], where tokens were masked and which;
    a place that is not needed is 0 with the target `NOT_MASKED`
    """

    input_ids: Ids
    places: Ids
    targets: Ids


@dataclass(frozen=True, eq=False)
class Masking:
    """How the tokens of a task are masked (BERT, Devlin et al. 2019, section 3.1).

    Of an example of n tokens `masked_places(n)` that are no special ones are chosen; 80 % of these become the mask
    token, 10 % a token drawn from all but the special ones, and 10 % stay. An unknown word is a special token.

    mask_id: the mask token; special: bool [token id]
    continues: bool [token id], whether a token goes on with the word before it; None: single tokens are masked, else
        all tokens of a word or none. A word that does not fit into what is left is passed over; the first one is cut
    """

    mask_id: int
    special: npt.NDArray[np.bool_]
    continues: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, whole_words: bool) -> Masking:
        """Raises InputError for a tokenizer without a mask token, or one that does not tell where words begin."""
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        mask_id = next((vocabulary[token] for token in MASKS if token in vocabulary), None)
        if mask_id is None:
            raise InputError(f"the tokenizer has no mask token: neither {' nor '.join(MASKS)} is in its vocabulary")
        size = max(vocabulary.values()) + 1
        special = np.zeros(size, dtype=np.bool_)
        special[[number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]] = True
        special[mask_id] = True
        return cls(mask_id, special, _continuing(tokenizer, size) if whole_words else None)

    def digest(self) -> bytes:
        """For the fingerprint of what is masked: equal for equal maskings."""
        whole = b"-" if self.continues is None else self.continues.tobytes()
        return b"masking" + str(self.mask_id).encode() + self.special.tobytes() + whole

    def masked(self, input_ids: Ids, lengths: Ids, rows: Ids, seed: int, epoch: int) -> MaskedBatch:
        """The batch with masks that depend on (seed, epoch, row) and the example's tokens alone.

        input_ids: int64 [example, position], padded on the right; lengths: int64 [example]
        rows: int64 [example], the examples' numbers in their split
        """
        ids = input_ids.copy()
        shape = (len(rows), masked_places(ids.shape[1]))
        places, targets = np.zeros(shape, dtype=np.int64), np.full(shape, NOT_MASKED, dtype=np.int64)
        for place, (row, length) in enumerate(zip(rows.tolist(), lengths.tolist(), strict=True)):
            rng = np.random.default_rng(np.random.SeedSequence((seed, epoch, row), spawn_key=(4,)))
            chosen = self._chosen(ids[place, :length], rng)
            places[place, : len(chosen)], targets[place, : len(chosen)] = chosen, ids[place, chosen]
            ids[place, chosen] = self._replaced(ids[place, chosen], rng)
        return MaskedBatch(ids, places, targets)

    def _chosen(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Positions of the tokens to be predicted, rising."""
        candidates = np.flatnonzero(~self.special[ids])
        count = min(masked_places(len(ids)), len(candidates))
        if self.continues is None:
            return np.sort(rng.permutation(candidates)[:count])
        # A special token ends a word, too: what follows it begins one.
        begins = ~self.continues[ids[candidates]] | (np.diff(candidates, prepend=-2) > 1)
        words = np.split(candidates, np.flatnonzero(begins)[1:])
        taken: list[Ids] = []
        left = count
        for number in rng.permutation(len(words)).tolist() if count else ():
            word = words[number] if taken else words[number][:left]
            if len(word) <= left:
                taken.append(word)
                left -= len(word)
        return np.sort(np.concatenate(taken)) if taken else candidates[:0]

    def _replaced(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """What stands in the place of `ids`."""
        lot = rng.random(len(ids))
        drawn = rng.choice(np.flatnonzero(~self.special), size=len(ids))
        return np.where(lot < 0.8, self.mask_id, np.where(lot < 0.9, drawn, ids))


def _continuing(tokenizer: Tokenizer, size: int) -> npt.NDArray[np.bool_]:
    """[token id]: whether the token goes on with a word."""
    model: Any = tokenizer.model
    kind, found = type(model).__name__, np.zeros(size, dtype=np.bool_)
    if kind == "WordPiece":
        prefix = model.continuing_subword_prefix
        found[[number for token, number in tokenizer.get_vocab().items() if token.startswith(prefix)]] = True
    elif kind != "WordLevel":
        raise InputError(f"whole_words: a tokenizer of the kind {kind} does not tell where words begin: only WordPiece")
    return found
