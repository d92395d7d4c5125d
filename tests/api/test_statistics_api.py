"""The front door to statistics: findings with figures, from a data frame as from a file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from greenexp.api.statistics import compare, curve
from greenexp.errors import InputError

RNG = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "model": ["steady"] * 40 + ["wild"] * 40,
        "acc": np.concatenate((0.6 + 0.02 * RNG.random(40), 0.2 + 0.7 * RNG.random(40))),
        "hours": RNG.integers(1, 5, 80).astype(float),
    }
)


def test_a_frame_and_its_file_have_the_same_findings(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    for study in (curve, compare):
        one, other = (study(source, score="acc", by="model") for source in (TABLE, tmp_path / "t.csv"))
        assert one.verdict == other.verdict
        assert list(one.tables) == list(other.tables)
        for name, frame in one.tables.items():
            pd.testing.assert_frame_equal(frame, other[name])


@pytest.mark.parametrize(
    ("more", "figures"),
    [
        ({"by": "model"}, ["tuning-curves"]),
        ({}, ["tuning-curve-band", "tuning-curves"]),
        ({"support": (0.0, 1.0)}, ["tuning-curve-band"]),
        ({"cost": "hours"}, ["tuning-curves"]),
        ({"cost": "hours", "by": "model"}, ["tuning-curves"]),
    ],
)
def test_a_curve_is_drawn_from_its_tables(more: dict[str, object], figures: list[str]) -> None:
    findings = curve(TABLE, score="acc", **more)
    assert [figure.name for figure in findings.figures] == figures
    main = findings.figures[0].table
    column = "median" if "median" in main else "estimate"
    home = findings["median" if column == "median" else "curve"]
    assert set(main[column].round(12)) <= set(home[column].round(12))
    assert findings._repr_html_().count("<svg") == len(figures)


def test_a_comparison_is_drawn_from_its_tables() -> None:
    findings = compare(TABLE, score="acc", by="model")
    assert [figure.name for figure in findings.figures] == ["compared-groups", "difference"]
    assert findings.figures[0].table["estimate"].tolist() == findings["curves"]["estimate"].tolist()
    over_cost = compare(TABLE, score="acc", by="model", cost="hours")
    assert [figure.name for figure in over_cost.figures] == ["compared-groups"]
    assert compare(TABLE, score="acc").figures == (), "what was refused is not drawn"


@pytest.mark.parametrize(("suffix", "begin"), [(".svg", b"<svg"), (".pdf", b"%PDF"), (".png", b"\x89PNG")])
def test_figures_are_written_by_their_suffix(tmp_path: Path, suffix: str, begin: bytes) -> None:
    figure = curve(TABLE, score="acc", by="model").figures[0]
    path = tmp_path / f"curve{suffix}"
    figure.save(path)
    assert path.read_bytes().startswith(begin)
    if suffix == ".svg":
        assert ElementTree.fromstring(path.read_text()).get("aria-label") == figure.alt


def test_a_figure_that_cannot_be_written(tmp_path: Path) -> None:
    figure = curve(TABLE, score="acc", by="model").figures[0]
    with pytest.raises(InputError, match=r"\.svg, \.pdf, \.png"):
        figure.save(tmp_path / "curve.gif")
    with pytest.raises(InputError, match="cannot write the figure"):
        figure.save(tmp_path / "nowhere" / "curve.svg")


def test_a_notebook_shows_a_refusal_as_one() -> None:
    assert "No answer" in compare(TABLE, score="acc")._repr_html_()
