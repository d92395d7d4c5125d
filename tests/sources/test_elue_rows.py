"""Rows of ELUE submissions and their costs as others write them: every fault is told with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from told import tells

from greenexp.api.elue_submissions import check_submission, points_of
from greenexp.errors import InputError
from greenexp.sources.elue.submission import read_submission

ROWS = "index\tpred\n0\t1\n1\t0\n"


def handed_in(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(text.encode("utf-8"))
    return folder


@pytest.mark.parametrize(
    ("name", "text", "facts"),
    [
        ("a.tsv", f"index\tpred\n{'9' * 5000}\t1\n", "2: index '999 … whole number"),
        ("a.tsv", f"index\tpred\tmodules\n0\t1\t({'9' * 5000}),emb\n", "2: module 1, emb … 1,048,576"),
        ("a.jsonl", "\n" + "[" * 100_000, "2: … nested"),
        ("a.jsonl", '{"pred": 1, "x": ' + "[" * 100_000 + "\n", "1: … nested"),
        ("a.jsonl", '{"pred": 1, "index": ' + "9" * 5000 + "}", "1: … digits"),
        ("a.jsonl", '{"pred": 1, "index": "' + "9" * 5000 + '"}', "1: index '999"),
        ("a.jsonl", '{"pred": 1, "index": [0]}', "1: index … a list"),
        ("a.jsonl", '{"pred": 1, "index": false}', "1: index … false"),
        ("a.jsonl", r'{"pred": "\ud800", "index": 0}', "1: … ud800 … pairs"),
        ("a.jsonl", r'{"pred": 1, "x": {"\udfff": 0}}', "1: … udfff"),
        ("a.jsonl", '{"index": 0, "pred": 1, "index": 3}', "1: 'index' … more than once"),
        ("a.jsonl", '{"pred": {"a": 1}}', "1: pred … a mapping"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_problem_with_its_line(name: str, text: str, facts: str, tmp_path: Path) -> None:
    ((file,),) = read_submission(handed_in(tmp_path, name, text)).values()
    (problem,) = file.problems
    told = f"{problem.place}: {problem.message}"
    assert tells(told, facts), told
    assert len(told.encode()) < 300


def test_rows_without_modules_leave_no_mean_cost(tmp_path: Path) -> None:
    """Not the mean of the other rows: the score is of all of them."""
    rows = ['{"pred": 1, "modules": "(5),emb; (5,8),layer_1"}', '{"pred": 1}']
    found = check_submission(handed_in(tmp_path, "a.jsonl", "\n".join(rows)))
    assert found["files"]["mflops"].isna().all()
    assert found["problems"]["line"].tolist() == [2]


@pytest.mark.parametrize("name", ["index", "pred", "modules"])
def test_a_column_that_is_named_twice_is_refused(name: str, tmp_path: Path) -> None:
    header = f"index\tpred\tmodules\t{name}\n"
    with pytest.raises(InputError) as refused:
        read_submission(handed_in(tmp_path, "a.tsv", header + "0\t1\t(5),emb\t3\n"))
    assert tells(str(refused.value), f"a.tsv:1: … {name} … more than once")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_line_ends_at_line_ends_alone(end: str, character: str, tmp_path: Path) -> None:
    said = f"a{character}b"
    lines = [json.dumps({"pred": 1, "text": said}, ensure_ascii=False)] * 2
    handed_in(tmp_path, "a.jsonl", end.join(lines) + end)
    handed_in(tmp_path, "b.tsv", end.join(["index\tpred\ttext", f"0\t1\t{said}", "", f"x\t1\t{said}"]))
    ((first, second),) = read_submission(tmp_path).values()
    assert ([row.index for row in first.rows], first.problems) == ([0, 1], ())
    assert ([row.place for row in second.rows], [problem.place for problem in second.problems]) == ([2], [4])


def test_a_name_of_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a\udcff.tsv").write_text(ROWS, encoding="utf-8")
    with pytest.raises(InputError, match=r"a\\udcff\.tsv.*rename"):
        read_submission(tmp_path)


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        (["a.tsv,5,110", "b.tsv,6,110", "a.tsv,500,110"], "costs.csv:4: a.tsv … line 2"),
        (["b.tsv,5,110", "a.tsv,inf,110"], "costs.csv:3: mflops is inf"),
        (["a.tsv,5,-inf"], "costs.csv:2: mparams is -inf"),
        (["a.tsv,nan,110"], "costs.csv:2: mflops is nan"),
        (["a.tsv,1e300,110"], "costs.csv:2: mflops is 1e300"),
        (["a.tsv,0,110"], "costs.csv:2: mflops is 0"),
        (["a.tsv,5,-1"], "costs.csv:2: mparams is -1"),
    ],
)
def test_costs_that_are_none_are_refused_with_their_line(rows: list[str], facts: str, tmp_path: Path) -> None:
    handed_in(tmp_path, "a.tsv", ROWS)
    handed_in(tmp_path, "costs.csv", "\n".join(["file,mflops,mparams", *rows]))
    with pytest.raises(InputError) as refused:
        check_submission(tmp_path)
    assert tells(str(refused.value), facts), refused.value


def test_a_cost_that_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    for name in ("a.tsv", "b.tsv"):
        handed_in(tmp_path, name, ROWS)
    handed_in(tmp_path, "costs.csv", "file,mflops,mparams\na.tsv,5,\nb.tsv,,110\n")
    found = check_submission(tmp_path)
    files = found["files"].fillna(-1).set_index("file")
    assert files[["mflops", "mparams"]].to_numpy().tolist() == [[5, -1], [-1, 110]]
    with pytest.raises(InputError, match="performance"):
        points_of(found, "SST-2", "m")
