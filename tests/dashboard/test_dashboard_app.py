"""What the dashboard answers: every view of a sweep, its tables and figures as files, and errors that say why."""

from __future__ import annotations

import csv
import io
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_sweeps import write_sweep
from served_board import ServedBoard, served_board
from stand_ins import Sweep, Workers

import greenexp
from greenexp.api.views import VIEWS
from greenexp.dashboard.payload import tables_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[ServedBoard]:
    (folder / "small").mkdir()
    write_sweep(folder / "small")
    (folder / "halved").mkdir()
    conductor = Sweep(folder / "halved").open()
    Workers(conductor, fail={"c000-i1-o0": 2}).play(30)
    conductor.journal.close()
    shutil.copytree(folder / "small", folder / "a,b")
    with served_board([folder]) as served:
        yield served


@pytest.mark.parametrize("sweep", ["small", "halved"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers(board: ServedBoard, sweep: str, view: str) -> None:
    reply = board.get(f"/api/views/{view}?sweep={sweep}")
    answer = reply.json
    assert reply.status == 200, answer
    assert answer["refusal"] or answer["verdict"] or answer["tables"]
    names = [table["name"] for table in answer["tables"]]
    assert len(names) == len(set(names)), "a CSV is asked for by its table's name"
    for table in answer["tables"]:
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    options = board.get(f"/api/sweeps/{sweep}/options/{view}").json
    assert set(options) == {option.name for option in VIEWS[view].options}


def test_tables_and_figures_come_as_files(board: ServedBoard) -> None:
    where = "/api/views/overview"
    answer = board.get(f"{where}?sweep=small").json
    table = next(table for table in answer["tables"] if table["name"] == "configurations")
    front = next(
        table for table in board.get("/api/views/front?sweep=small").json["tables"] if table["name"] == "front"
    )
    whole = board.get("/api/views/front/tables/front.csv?sweep=small").body.decode()
    assert front["total"] == len(list(csv.reader(io.StringIO(whole)))) - 1 > len(front["rows"]), "it has an excerpt"
    reply = board.get(f"{where}/tables/configurations.csv?sweep=small")
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert len(rows) == table["total"] == 2
    assert reply.headers["content-disposition"].startswith("attachment")
    figure = answer["figures"][0]["name"]
    assert b"<svg" in board.get(f"{where}/figures/{figure}.svg?sweep=small").body


def test_the_python_beside_an_answer_gives_the_same(board: ServedBoard) -> None:
    answer = board.get("/api/views/curves?sweep=halved&value=train_loss&by=status").json
    *_, expression = answer["python"].splitlines()
    found = eval(expression, {"greenexp": greenexp})  # noqa: S307 - our own text
    assert list(found.verdict) == answer["verdict"]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/api/views/nothing?sweep=small", 404, "overview"),
        ("/api/views/overview?sweep=big", 404, "small"),
        ("/api/views/curves?sweep=small&axis=parsecs", 404, "epochs"),
        ("/api/views/curves?sweep=small&colour=red", 404, "by"),
        ("/api/views/overview/tables/none.csv?sweep=small", 404, "budget"),
        ("/nothing", 404, "Not Found"),
    ],
)
def test_errors_say_what_there_is(board: ServedBoard, path: str, status: int, told: str) -> None:
    reply = board.get(path)
    assert (reply.status, told in reply.json["error"]) == (status, True), reply.body


def test_a_mistake_of_ours_is_an_answer_too(board: ServedBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("0 / 0")

    monkeypatch.setattr("greenexp.dashboard.app.payload_of", broken)
    reply = board.get("/api/views/overview?sweep=small")
    assert reply.status == 500
    assert "ZeroDivisionError" in reply.json["error"]


def test_news_come_when_a_sweep_goes_on(tmp_path: Path) -> None:
    conductor = Sweep(tmp_path).open()
    workers = Workers(conductor)
    workers.play(2)
    with served_board([tmp_path]) as served, urllib.request.urlopen(f"{served.address}/api/events", timeout=30) as news:
        first = _event(news)
        workers.play(1)
        assert _event(news) != first
    conductor.journal.close()


def _event(news: object) -> str:
    """The next event's data."""
    while True:
        line = news.readline().decode()  # type: ignore[attr-defined]
        if line.startswith("data: "):
            return line


def test_a_page_says_how_its_sweep_goes_on(board: ServedBoard, folder: Path) -> None:
    commands = board.get("/api/views/overview?sweep=small").json["commands"]
    where = str(folder / "small")
    assert all(where in command for command in commands.values())
    assert any("--resume" in command for command in commands.values())


def test_why_stands_before_the_numbers_and_empty_columns_are_left_out(board: ServedBoard) -> None:
    answer = board.get("/api/views/decisions?sweep=halved").json
    (table,) = (table for table in answer["tables"] if table["name"] == "decisions")
    names = [column["name"] for column in table["columns"]]
    assert names.index("sentence") < names.index("value")
    assert "front" not in names, "the scheduler has no fronts"


def test_prometheus_reads_the_sweeps_in_folders(board: ServedBoard) -> None:
    text = board.get("/metrics").body.decode()
    assert 'sweep="small"' in text
    assert 'sweep="stand-in"' in text


def test_sweeps_stand_side_by_side(board: ServedBoard) -> None:
    answer = board.get("/api/views/compare?sweep=small&others=halved").json
    table = next(table for table in answer["tables"] if table["name"] == "sweeps")
    assert table["total"] == 2
    assert board.get("/api/views/compare?sweep=small&others=none").status == 404
    assert answer["python"].count("greenexp.load") == 2


def test_the_python_beside_sweeps_gives_the_same_tables(board: ServedBoard) -> None:
    """Sweeps have the names of the page there, whatever their files call them; a sweep does not stand beside itself."""
    query = "compare?sweep=small&axis=train_flops&others=halved&others=a%2Cb&others=small&others=halved"
    answer = board.get(f"/api/views/{query}").json
    found = eval(answer["python"].splitlines()[-1], {"greenexp": greenexp})  # noqa: S307 - our own text
    tables = {table.name: table.csv() for table in tables_of(found)}
    assert list(found["sweeps"]["sweep"]) == ["small", "halved", "a,b"]
    assert set(tables) == {table["name"] for table in answer["tables"]}
    for name, text in tables.items():
        assert board.get(f"/api/views/{query.replace('?', f'/tables/{name}.csv?')}").body.decode() == text


def test_keys_with_commas_between_them_are_read_where_no_sweep_is_called_so(board: ServedBoard) -> None:
    answer = board.get("/api/views/compare?sweep=small&others=halved,small").json
    table = next(table for table in answer["tables"] if table["name"] == "sweeps")
    assert [row[0][0] for row in table["rows"]] == ["small", "halved"]
    assert board.get("/api/views/compare?sweep=small&others=halved,a%2Cb").status == 404


def test_two_other_sweeps_of_one_name_are_two(folder: Path, tmp_path: Path) -> None:
    copies = [shutil.copytree(folder / "small", tmp_path / name) for name in ("a", "b")]
    found = greenexp.load(folder / "halved").view("compare", others=copies)
    assert len(found["sweeps"]) == 3  # type: ignore[index]


def test_a_notebook_has_the_same_views(folder: Path, board: ServedBoard) -> None:
    found = greenexp.load(folder / "halved").view("decisions", action="stop")
    answer = board.get("/api/views/decisions?sweep=halved&action=stop").json
    assert list(found.verdict) == answer["verdict"]  # type: ignore[union-attr]
    assert found._repr_html_()
