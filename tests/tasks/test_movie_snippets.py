"""The film sentences, on a corpus in the same form, and on the real one where it is on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from greenexp.assets import find
from greenexp.errors import AssetError, InputError
from greenexp.tasks.movie_snippets import ASSET, MovieSnippets
from greenexp.tasks.partition import normalised


def test_the_sides_are_told_apart_and_the_middle_is_left_out(movie_snippets: Path) -> None:
    data = MovieSnippets().load()
    splits = data.splits.values()
    assert sum(map(len, splits)) == 320
    for split in splits:
        assert (split.labels == (split.columns["rating"] > 0)).all()
        assert (np.abs(split.columns["rating"]) > 0.5).all()
        assert split.columns["rating_sd"].dtype == np.float64
        for text, deviation in zip(split.texts, split.columns["rating_sd"], strict=True):
            assert text == "The same, again!" or f"film {deviation * 100:.0f} is" in text
            assert "&amp;" not in text
            assert text == text.strip()
    assert data.label_names == ("negative", "positive")


def test_doubles_lie_on_one_side(movie_snippets: Path) -> None:
    found = [split.texts.count("The same, again!") for split in MovieSnippets().load().splits.values()]
    assert sorted(found) == [0, 0, 2]


def test_a_subset_is_fixed_stratified_and_named(movie_snippets: Path) -> None:
    whole, data, again = MovieSnippets().load(), MovieSnippets(train=50, dev=10).load(), MovieSnippets(50, 10).load()
    assert data.train.texts == again.train.texts
    assert set(data.train.texts) < set(whole.train.texts)
    assert data.train.labels.sum() == pytest.approx(whole.train.labels.mean() * 50, abs=1)
    sizes = f"train 50 of {len(whole.train)}, dev 10 of {len(whole.dev)}, test {len(whole.test or [])}"
    assert data.description.endswith(sizes)


def test_more_than_there_is_is_refused(movie_snippets: Path) -> None:
    with pytest.raises(InputError, match="train: 5000"):
        MovieSnippets(train=5000).load()


@pytest.mark.parametrize("name", ["GroundTruth", "anonDataRatings"])
def test_files_that_do_not_fit_are_refused(name: str, movie_snippets: Path) -> None:
    file = movie_snippets / f"movieReviewSnippets_{name}.txt"
    file.write_text(file.read_text().replace("\n7\t", "\n8\t", 1))
    with pytest.raises(AssetError, match="stands beside"):
        MovieSnippets().load()
    file.write_text("1\t2")
    with pytest.raises(AssetError, match="columns"):
        MovieSnippets().load()


def test_the_real_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    if find(ASSET) is None:
        pytest.skip(f"the corpus {ASSET} has not been fetched on this machine")
    data = MovieSnippets().load()
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 8053, "dev": 988, "test": 1002}
    whole = np.concatenate([split.labels for split in data.splits.values()])
    assert (whole.sum(), (1 - whole).sum()) == (4982, 5061)
    texts = [{normalised(text) for text in split.texts} for split in data.splits.values()]
    assert not texts[0] & texts[1]
    assert not (texts[0] | texts[1]) & texts[2]
    assert max(split.columns["rating_sd"].max() for split in data.splits.values()) < 4
