"""GLUE's and ELUE's folders in their official layouts, with a few made rows per file."""

from __future__ import annotations

from pathlib import Path

# Task -> header of train.tsv and dev.tsv, header of test.tsv, a row's cells but for the label, and the labels by turns.
# {i}: the row's number; L: where the label goes.
GLUE = {
    "CoLA": ("", "index sentence", "gj04 L  s{i}", "0 1"),
    "SST-2": ("sentence label", "index sentence", "s{i} L", "0 1"),
    "MRPC": (
        "Quality #1_ID #2_ID #1_String #2_String", "index #1_ID #2_ID #1_String #2_String", "L 1 2 s{i} p{i}", "0 1",
    ),
    "QQP": ("id qid1 qid2 question1 question2 is_duplicate", "id question1 question2", "7{i} 1 2 s{i} p{i} L", "0 1"),
    "STS-B": (
        "index genre filename year old_index source1 source2 sentence1 sentence2 score",
        "index genre filename year old_index source1 source2 sentence1 sentence2",
        "{i} g f y o a b s{i} p{i} L",
        "5.000 1.25 0.000",
    ),
    "MNLI": (
        "index promptID pairID genre sentence1_parse sentence2_parse sentence1 sentence2 label1 gold_label",
        "index promptID pairID genre sentence1_parse sentence2_parse sentence1 sentence2",
        "{i} 1 1e fiction (s) (p) s{i} p{i} neutral L",
        "neutral entailment contradiction",
    ),
    "QNLI": (
        "index question sentence label", "index question sentence", "{i} s{i} p{i} L", "entailment not_entailment",
    ),
    "RTE": (
        "index sentence1 sentence2 label", "index sentence1 sentence2", "{i} s{i} p{i} L", "not_entailment entailment",
    ),
    "WNLI": ("index sentence1 sentence2 label", "index sentence1 sentence2", "{i} s{i} p{i} L", "1 0"),
}  # fmt: skip
ELUE = {
    "SST-2": ("sentence label", "s{i} L", "0 1"),
    "IMDb": ("sentence label", "s{i} L", "0 1"),
    "SNLI": ("premise hypothesis label", "s{i} p{i} L", "0 1 2"),
    "SciTail": ("premise hypothesis label", "s{i} p{i} L", "0 1"),
    "MRPC": ("Quality #1_ID #2_ID #1_String #2_String", "L - - s{i} p{i}", "0 1"),
    "STS-B": ("sentence1 sentence2 label", "s{i} p{i} L", "5.000 1.25 0.000"),
}
WORDS = ("good", "bad", "slow", "quick", "dull")
TRAIN, DEV, TEST = 12, 6, 5


def write_glue(folder: Path) -> Path:
    """`folder` with all nine tasks; a sentence names its file's kind, so that files cannot be taken for another."""
    for task, (labelled, test, row, labels) in GLUE.items():
        for kind in ("", "_matched", "_mismatched") if task == "MNLI" else ("",):
            if kind in ("", "_matched"):
                _write(folder / task / "train.tsv", labelled, row, labels, TRAIN, "train")
            _write(folder / task / f"dev{kind}.tsv", labelled, row, labels, DEV, f"dev{kind}")
            _write(folder / task / f"test{kind}.tsv", test, _unlabelled(test), "", TEST, f"test{kind}")
    for kind in ("dev", "test"):
        (folder / "MNLI" / f"{kind}.tsv").unlink()  # the official folder has none
    return folder


def write_elue(folder: Path) -> Path:
    for task, (labelled, row, labels) in ELUE.items():
        _write(folder / task / "train.tsv", labelled, row, labels, TRAIN, "train", encoding="utf-8-sig")
        _write(folder / task / "dev.tsv", labelled, row, labels, DEV, "dev", end="\r\n")
        _write(folder / task / "test_full.tsv", labelled.replace("Quality", "label"), row, labels, TEST, "test")
        header = f"index {labelled}".replace(" label", "").replace(" Quality", "")
        _write(folder / task / "test.tsv", header, _unlabelled(header), "", TEST, "test")
    return folder


def _unlabelled(header: str) -> str:
    """A row of a test file: its number, then two texts at the end if there are two text columns."""
    names = header.split()
    texts = ["s{i}"] if "sentence" in names and "question" not in names else ["s{i}", "p{i}"]
    return " ".join(["{i}", *("x" for _ in names[1 : -len(texts)]), *texts])


def _write(
    file: Path, header: str, row: str, labels: str, count: int, kind: str, *, encoding: str = "utf-8", end: str = "\n"
) -> None:
    lines = ["\t".join(header.split()).replace("_ID", " ID").replace("_String", " String")] if header else []
    for i in range(count):
        cells = row.replace("{i}", str(i)).split(" ")
        lines.append("\t".join(_cell(cell, i, labels.split(), kind) for cell in cells))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes((end.join(lines) + end).encode(encoding))


def _cell(cell: str, i: int, labels: list[str], kind: str) -> str:
    if cell == "L":
        return labels[i % len(labels)]
    word = WORDS[i % len(WORDS)]
    return {f"s{i}": f'{kind} "{word} film {i}', f"p{i}": f"{kind} a {word} plot {i}"}.get(cell, cell)
