"""Documents: how they are divided, put into order or out of it, and kept apart from what is held out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from greenexp.errors import InputError
from greenexp.tasks.corpus import Corpus, sentences_of, stretches
from greenexp.tasks.data import Split

SENTENCE = "The {} of part {} is said to be far too {} ."


def document(number: int, sentences: int = 6) -> str:
    return "\n".join(SENTENCE.format("plot", f"{number}x{place}", "long") for place in range(sentences))


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty documents, the first one twice, in two files of the working directory."""
    monkeypatch.chdir(tmp_path)
    documents = [document(number) for number in range(40)]
    Path("a.txt").write_text("\n\n".join(documents[:20]))
    Path("b.txt").write_text("\n \n".join([documents[0], *documents[20:]]))
    return tmp_path


def whole(split: Split) -> list[str]:
    """The stretches as they stood in their documents."""
    assert split.pairs is not None
    both = zip(split.texts, split.pairs, split.labels, strict=True)
    return [f"{second} {first}" if label else f"{first} {second}" for first, second, label in both]


def test_passages_stand_in_their_order_or_the_other_way_round(text: Path) -> None:
    data = Corpus(files="*.txt", dev=0.2, words=40).load()
    assert data.label_names == ("in_order", "swapped")
    assert set(data.train.labels) == {0, 1}
    known = " ".join(document(number) for number in range(40)).split()
    places = " ".join(known)
    assert all(stretch in places for stretch in whole(data.train) + whole(data.dev))


def test_a_document_is_on_one_side_and_occurs_once(text: Path) -> None:
    data = Corpus(files="*.txt", dev=0.3).load()
    numbers = {name: [one.split()[4].split("x")[0] for one in whole(split)] for name, split in data.splits.items()}
    assert not set(numbers["train"]) & set(numbers["dev"])
    assert len(numbers["train"]) + len(numbers["dev"]) == 40
    assert "40 documents, without 1 repeated documents" in data.description


def test_the_order_of_files_changes_no_example(text: Path) -> None:
    ways = [Corpus(files=files, words=30).load() for files in (("a.txt", "b.txt"), ("b.txt", "a.txt", "./a.txt"))]
    for name in ("train", "dev"):
        first, second = (way.splits[name] for way in ways)
        assert sorted(zip(first.texts, first.labels, strict=True)) == sorted(
            zip(second.texts, second.labels, strict=True)
        )


def test_held_out_texts_are_left_out_in_any_spelling(text: Path) -> None:
    held_out = SENTENCE.format("plot", "3x1", "long").upper().replace(" .", "!")
    Path("dev.tsv").write_text(f"sentence\tlabel\n{held_out}\t1\nThe plot .\t0\n")
    with_it, without = (Corpus(files="a.txt", without=files, dev=0.3).load() for files in ((), "*.tsv"))
    for data, expected in ((with_it, True), (without, False)):
        assert any(" 3x1 " in text for split in data.splits.values() for text in whole(split)) == expected
    assert "1 sentences of held-out texts" in without.description


@pytest.mark.parametrize(("documents", "expected"), [("blank_line", 3), ("line", 4), ("file", 2)])
def test_what_divides_documents(tmp_path: Path, documents: str, expected: int) -> None:
    (tmp_path / "a.txt").write_text("One. Two.\nThree. Four.\n\nFive. Six.")
    (tmp_path / "b.txt").write_text("\nSeven. Eight.\n")
    corpus = Corpus(files=str(tmp_path / "*.txt"), documents=documents, dev=0.5)  # type: ignore[arg-type]
    assert len(list(corpus._distinct(Counter()))) == expected


def test_stretches_are_neighbours_of_two_sentences_at_least() -> None:
    sentences = ["one two three", "four", "five six seven eight nine", "ten", "eleven"]
    assert list(stretches(sentences, 4)) == [sentences[:2], sentences[2:4]]
    assert list(stretches(sentences, 11)) == [sentences]
    assert list(stretches(["alone"], 4)) == []


def test_sentences_end_with_their_punctuation_and_their_lines() -> None:
    assert sentences_of('He said "no!" and  left. A line\nanother? Yes.') == [
        'He said "no!"', "and left.", "A line", "another?", "Yes."
    ]  # fmt: skip


def test_a_file_may_be_called_like_a_pattern(text: Path) -> None:
    (text / "a[1].txt").write_text((text / "a.txt").read_text())
    assert Corpus(files="a[1].txt", dev=0.2).content_digest() == Corpus(files="a.txt", dev=0.2).content_digest()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"files": "c.txt"}, r"there is no file c\.txt"),
        ({"files": "*.md"}, r"no file fits '\*\.md'"),
        ({"files": "a.txt", "without": "*.md"}, r"no file fits '\*\.md'"),
        ({"files": ()}, "no file is named"),
        ({"files": "a.txt", "train_size": 10_000, "dev": 0.3}, "10000 examples asked for"),
        ({"files": "a.txt", "dev": 1e-9}, "falls into dev"),
    ],
)
def test_what_is_refused(text: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Corpus(**fields).load()  # type: ignore[arg-type]
