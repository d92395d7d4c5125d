"""Sentences of film reviews with the mean of many people's ratings: real text from a package registry alone."""

from __future__ import annotations

from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from greenexp.assets import locate
from greenexp.errors import AssetError
from greenexp.tasks.data import Split, TaskData
from greenexp.tasks.partition import cut, subset

ASSET = "hutto-movie-snippets"
CLEAR = 0.5
"""A mean rating in [-CLEAR, CLEAR] on the scale from -4 to 4 is neither positive nor negative."""

LABEL_NAMES = ("negative", "positive")

_Size = Annotated[int, Field(ge=2)] | None


@dataclass(frozen=True, slots=True)
class MovieSnippets:
    """Polarity of 10,043 sentences of film reviews, as 15 to 29 people rated them (Hutto and Gilbert, ICWSM 2014).

    Positive: mean rating above 0.5 on the scale from -4 to 4 (4,982 sentences); negative: below -0.5 (5,061). The 562
    between are left out. About 80 % train, 10 % dev, 10 % test by a hash of the sentence, so that doubles never
    straddle two splits. `columns`: `rating`, the mean rating; `rating_sd`, the raters' standard deviation (with divisor
    n): how much people disagree about the sentence.

    train, dev, test: numbers of sentences of fixed stratified subsets, first by hash; None: the whole split
    """

    assets: ClassVar = (ASSET,)

    train: _Size = None
    dev: _Size = None
    test: _Size = None

    def load(self) -> TaskData:
        """Read the corpus, which is fetched if it is not on this machine. Raises AssetError, InputError."""
        whole = cut(_clear(locate(ASSET)), [0.1, 0.1])
        wanted = {"train": self.train, "dev": self.dev, "test": self.test}
        parts = {name: subset(split, wanted[name], name) for name, split in zip(wanted, whole, strict=True)}
        sizes = (
            f"{name} {len(parts[name]):,}" + (f" of {len(split):,}" if wanted[name] else "")
            for name, split in zip(wanted, whole, strict=True)
        )
        return TaskData(
            train=parts["train"],
            dev=parts["dev"],
            test=parts["test"],
            num_labels=2,
            label_names=LABEL_NAMES,
            metrics=("accuracy", "macro_f1"),
            description=f"sentences of film reviews rated by people, {', '.join(sizes)}",
        )


def _clear(folder: Path) -> Split:
    """All sentences that are clearly positive or negative, in the order of the corpus."""
    texts: list[str] = []
    values: list[tuple[float, float]] = []
    sentences = _rows(folder / "movieReviewSnippets_GroundTruth.txt", 3)
    ratings = _rows(folder / "movieReviewSnippets_anonDataRatings.txt", 4)
    for (number, mean, text), (same, _, deviation, _) in zip(sentences, ratings, strict=True):
        if number != same:
            raise AssetError(f"asset '{ASSET}': sentence {number} stands beside the ratings of {same}")
        if abs(float(mean)) > CLEAR:
            texts.append(unescape(text).strip())  # the corpus was taken from web pages
            values.append((float(mean), float(deviation)))
    rating, rating_sd = np.array(values).T
    return Split(texts=texts, labels=(rating > 0).astype(np.int64), columns={"rating": rating, "rating_sd": rating_sd})


def _rows(file: Path, columns: int) -> list[list[str]]:
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").split("\n") if line]
    if any(len(row) != columns for row in rows):
        raise AssetError(f"asset '{ASSET}': {file.name} does not have {columns} columns in every row")
    return rows
