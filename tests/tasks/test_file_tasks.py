"""Tasks from files by configuration alone: what is read, what is refused, and where the error is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from greenexp.errors import InputError
from greenexp.plan.fields import check_plugin
from greenexp.tasks import TASKS, TaskData
from greenexp.tasks.text_files import read_jsonl, read_quoted, read_tsv
from greenexp.tasks.tokens import tokenise, word_tokenizer


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, where relative paths start."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(name: str, **fields: Any) -> TaskData:
    """As a sweep file gives it: checked by plan, then made from JSON values. dev as train: a copy of its file."""
    if fields.get("dev") == fields.get("train") and Path(str(fields["train"])).is_file():
        fields["dev"] = shutil.copy(fields["train"], f"copy-of-{fields['train']}")
    checked = check_plugin("task", {"name": name, **fields}, TASKS)
    assert checked.settings is not None, checked.problems
    settings = json.loads(json.dumps(checked.settings))
    return TASKS[settings.pop("name")](**settings).load()


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


GOOD = lines("sentence\tlabel", 'a "plain film\tgood', "no plot\tbad", "fine\tgood", "awful\tbad")


def test_tsv_has_no_quoting_and_may_begin_with_a_mark(folder: Path) -> None:
    Path("train.tsv").write_text(GOOD, encoding="utf-8-sig")
    Path("dev.tsv").write_bytes(GOOD.replace("\n", "\r\n").encode())
    data = load("tsv", train="train.tsv", dev="dev.tsv", text="sentence")
    assert data.train.texts == data.dev.texts == ['a "plain film', "no plot", "fine", "awful"]
    assert data.label_names == ("bad", "good")
    assert data.train.labels.tolist() == [1, 0, 1, 0]
    assert data.test is None
    assert "train 4 (train.tsv, sha256 " in data.description


def test_columns_by_number_without_a_header(folder: Path) -> None:
    Path("train.tsv").write_text(lines("x\t1\t\tgood one", "x\t0\t*\tbad one"))
    data = load("tsv", train="train.tsv", dev="train.tsv", header=False, text=3, label=1, metrics=["matthews"])
    assert data.train.texts == ["good one", "bad one"]
    assert data.train.labels.tolist() == [1, 0]
    assert data.metrics == ("matthews",)


def test_csv_with_quotes_line_ends_and_another_delimiter(folder: Path) -> None:
    Path("train.csv").write_text('id;text;label\n1;"a ""b""; c\nd";0\n\n2;e;1\n')
    data = load("csv", train="train.csv", dev="train.csv", delimiter=";")
    assert data.train.texts == ['a "b"; c\nd', "e"]


def test_jsonl_pairs_and_gzip(folder: Path) -> None:
    rows = [{"premise": "a", "hypothesis": "b", "label": True}, {"label": False, "premise": "c", "hypothesis": "d"}]
    Path("train.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    data = load("jsonl", train="train.jsonl.gz", dev="train.jsonl.gz", text="premise", pair="hypothesis")
    assert data.train.pairs == ["b", "d"]
    assert data.label_names == ("false", "true")
    tokens = tokenise(data, word_tokenizer([*data.train.texts, *(data.train.pairs or ())]), max_length=8)
    assert tokens.train.type_ids is not None
    assert tokens.train.type_ids.max() == 1


def test_labels_that_are_not_whole_are_values(folder: Path) -> None:
    Path("train.tsv").write_text(lines("text\tlabel", "a\t5.000", "b\t0.5", "c\t1"))
    data = load("tsv", train="train.tsv", dev="train.tsv")
    assert data.num_labels == 1
    assert data.train.labels.dtype == np.float32
    assert data.metrics == ("pearson", "spearman")
    assert load("tsv", train="train.tsv", dev="train.tsv", regression=False).label_names == ("0.5", "1", "5.000")


def test_whole_numbers_are_classes_in_numerical_order_unless_said_otherwise(folder: Path) -> None:
    Path("train.tsv").write_text(lines("text\tlabel", "a\t10", "b\t9", "c\t-1"))
    assert load("tsv", train="train.tsv", dev="train.tsv").label_names == ("-1", "9", "10")
    assert load("tsv", train="train.tsv", dev="train.tsv", regression=True).num_labels == 1


def test_labels_can_be_ordered_renamed_joined_and_left_out(folder: Path) -> None:
    Path("train.tsv").write_text(lines("text\tlabel", "a\tneg", "b\tpos", "c\t-", "d\tvery pos"))
    named = {"pos": "positive", "very pos": "positive", "neg": "negative", "-": None}
    data = load("tsv", train="train.tsv", dev="train.tsv", labels=named)
    assert data.label_names == ("positive", "negative")
    assert data.train.texts == ["a", "b", "d"]
    assert data.train.labels.tolist() == [1, 0, 0]
    listed = load("tsv", train="train.tsv", dev="train.tsv", labels=["pos", "neg", "-", "very pos"])
    assert listed.train.labels.tolist() == [1, 0, 2, 3]


def test_shares_of_train_and_fixed_subsets(folder: Path) -> None:
    Path("train.tsv").write_text(lines("text\tlabel", *(f"text {i}\t{i % 2}" for i in range(500))))
    data = load("tsv", train="train.tsv", dev=0.2, test=0.1, train_size=100, test_size=10)
    assert len(data.train) == 100
    assert 70 < len(data.dev) < 130
    assert data.test is not None
    assert len(data.test) == 10
    texts = [set(split.texts) for split in data.splits.values()]
    assert not texts[0] & texts[1]
    assert "train 100 of " in data.description
    assert "from train" in data.description


TSV = "text\tlabel\na\t1\nb\t0\n"
WRONG: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "no such column": ("tsv", TSV, {"text": "texts"}, r"train:1: column 'texts' is not there \(did you mean 'text'"),
    "a column twice": ("tsv", "text\ttext\tlabel\na\tb\t1\nc\td\t0\n", {}, "column 'text' is there more than once"),
    "no such number": ("tsv", TSV, {"text": 2}, "train:2: column 2: there are 2 columns, counted from 0"),
    "a name without a header": ("tsv", TSV, {"header": False}, "without a header columns have numbers"),
    "too many columns": ("tsv", TSV + "c\td\t1\n", {}, "train:4: 3 columns where the header has 2"),
    "an empty line inside": ("tsv", "text\tlabel\n\na\t1\n", {}, "train:2: 1 columns"),
    "not UTF-8": ("tsv", b"text\tlabel\na\t1\n\xe9\t0\n", {}, r"train:3: not UTF-8 \(byte 0xe9\)"),
    "empty": ("tsv", "", {}, "train is empty"),
    "a header alone": ("tsv", "text\tlabel\n", {}, "train: no rows"),
    "one class": ("tsv", "text\tlabel\na\t1\n", {}, "1 different values"),
    "a label column of texts": (
        "tsv", lines("text\tlabel", *(f"a\tb{i}" for i in range(201))), {}, "201 different values, e.g. 'b0'",
    ),
    "an unknown label": ("tsv", TSV, {"labels": ["0", "one"]}, "train:2: label '1': expected 0, one"),
    "one label listed": ("tsv", TSV, {"labels": ["0"]}, "at least two classes"),
    "labels of a regression": ("tsv", TSV, {"labels": ["0", "1"], "regression": True}, "none in a regression"),
    "a word in a regression": ("tsv", TSV + "c\tx\n", {"regression": True}, "train:4: label 'x': expected a finite"),
    "another kind of metric": ("tsv", TSV, {"metrics": ["pearson"]}, "'pearson' is for regression"),
    "quotes in csv": ("csv", 'text,label\n"a"b,1\n', {}, "train:2: .*double quotes"),
    "not JSON": ("jsonl", '{"text": "a", "label": 1}\n{"text"\n', {}, "train:2: not JSON"),
    "nested too deeply": ("jsonl", '{"text": "a", "label": 1}\n' + '{"a":' * 3_000 + "}" * 3_000, {}, "train:2: "),
    "no object": ("jsonl", '{"text": "a", "label": 1}\n[1]\n', {}, r"train:2: expected an object .*found list"),
    "no such field": (
        "jsonl", '{"text": "a", "label": 1}\n\n{"test": "b", "label": 0}\n', {},
        r"train:3: field 'text' is not there \(did you mean 'test'\?\) \(fields: test, label\)",
    ),
    "a number for a text": ("jsonl", '{"text": 1, "label": 1}\n{"text": "", "label": 0}\n', {}, "text, found 1"),
    "a number for a field": ("jsonl", '{"text": "a", "label": 1}\n', {"label": 0}, "columns have names"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_line(case: str, folder: Path) -> None:
    name, content, fields, message = WRONG[case]
    Path("train").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        load(name, train="train", dev="train", **fields)


def test_a_label_that_train_does_not_have_is_found_in_dev(folder: Path) -> None:
    Path("train.tsv").write_text(TSV)
    Path("dev.tsv").write_text("text\tlabel\na\t1\nb\t2\n")
    with pytest.raises(InputError, match=r"dev\.tsv:3: label '2': .*0, 1"):
        load("tsv", train="train.tsv", dev="dev.tsv")


def test_a_file_that_is_not_there_is_said_with_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(InputError, match=r"x/train\.tsv"):
        load("tsv", train="x/train.tsv")


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"text\tlabel\n" * 500, mtime=0)[:-20]])
def test_a_damaged_gzip_is_refused(content: bytes, folder: Path) -> None:
    Path("train.tsv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"train\.tsv\.gz"):
        load("tsv", train="train.tsv.gz")


CELLS = st.lists(
    st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\ufeff"), min_size=1)] * 2), min_size=1
)


@given(CELLS)
def test_tsv_gives_back_every_character(tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]) -> None:
    file = tmp_path_factory.mktemp("cells") / "rows.tsv"
    file.write_bytes("".join(f"{a}\t{b}\n" for a, b in cells).encode())
    table = read_tsv(str(file), header=False)
    assert list(zip(table.column(0), table.column(1), strict=True)) == cells


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text('ab,"\n')), min_size=1))
def test_csv_gives_back_what_the_library_writes(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *cells])
    file = tmp_path_factory.mktemp("cells") / "rows.csv"
    file.write_bytes(stream.getvalue().encode())
    table = read_quoted(str(file), delimiter=",", header=True)
    assert list(zip(table.column("a"), table.column("b"), strict=True)) == cells


def test_jsonl_knows_its_lines(folder: Path) -> None:
    Path("rows").write_text('\n{"a": 1}\n\n{"a": 2}\n')
    table = read_jsonl("rows")
    assert table.column("a") == [1, 2]
    assert [table.place(0), table.place(1)] == ["rows:2", "rows:4"]
