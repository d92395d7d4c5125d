"""Corpora for tests of tasks: none of them comes from a network."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = "corpus"


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library `datasets` keeps its copies in the test's folder, and asks no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def movie_snippets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus in the form of the real one: 400 rows, a fifth neither positive nor negative, one sentence twice."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    ratings = [(-3.1, -0.6, 0.5, 0.51, 2.0)[i % 5] for i in range(400)]
    texts = [
        "The same, again!" if i in (0, 5) else f"film {i} is {'good' if i % 2 else 'bad'} &amp; long"
        for i in range(400)
    ]
    sentences = [f"{i}\t{rating}\t{text} " for i, (rating, text) in enumerate(zip(ratings, texts, strict=True))]
    people = [f"{i}\t{rating}\t{0.01 * i}\t[0, 1]" for i, rating in enumerate(ratings)]
    for name, lines in (("GroundTruth", sentences), ("anonDataRatings", people)):
        (folder / f"movieReviewSnippets_{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr("greenexp.tasks.movie_snippets.locate", lambda _: folder)
    return folder
