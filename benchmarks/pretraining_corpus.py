"""The text of docs/results/pretraining.md: `python benchmarks/pretraining_corpus.py IMDB_TRAIN RTE_TRAIN OUT`.

Every twelfth review of IMDb's training set (tab-separated with a header, `.gz` if it ends so, the review in the column
`sentence`) and all premises of GLUE's RTE training set, each a line of OUT/imdb-train.txt and OUT/rte-train.txt.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Sequence
from pathlib import Path

EVERY = 12


def column(file: Path, name: str) -> list[str]:
    """The texts of one column, each on one line and without HTML's line breaks."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig") as lines:
        place = next(lines).rstrip("\n").split("\t").index(name)
        texts = [line.rstrip("\n").split("\t")[place] for line in lines]
    return [re.sub(r"\s+", " ", text.replace("<br />", " ")).strip() for text in texts]


def written(texts: Sequence[str], file: Path) -> None:
    """Write a text per line."""
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    print(f"{file}: {len(texts):,} documents, {sum(len(text.split()) for text in texts):,} words")


def main() -> None:
    """Read the arguments and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("imdb", "rte", "out"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    written(column(asked.imdb, "sentence")[::EVERY], asked.out / "imdb-train.txt")
    written(column(asked.rte, "sentence1"), asked.out / "rte-train.txt")


if __name__ == "__main__":
    main()
