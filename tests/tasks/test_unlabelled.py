"""The form of a submission file."""

from __future__ import annotations

import math

import pytest

from greenexp.errors import InputError
from greenexp.tasks.unlabelled import AnswerForm

CLASSES = AnswerForm("QNLI.tsv", ("index", "prediction"), {"yes": "entailment", "no": "not_entailment"})
VALUES = AnswerForm("STS-B.tsv", ("index", "prediction"), {}, limits=(0, 5))


def test_classes_are_written_as_the_leaderboard_wants_them() -> None:
    assert list(CLASSES.lines(["no", "yes"])) == ["index\tprediction", "0\tnot_entailment", "1\tentailment"]


def test_values_are_clipped_and_have_three_decimals() -> None:
    lines = list(VALUES.lines([5.2, -0.1, 3.14159, 2, 4.9996]))
    assert lines[1:] == ["0\t5.000", "1\t0.000", "2\t3.142", "3\t2.000", "4\t5.000"]


@pytest.mark.parametrize(
    ("form", "answer"),
    [(CLASSES, "maybe"), (CLASSES, 1.0), (VALUES, "yes"), (VALUES, math.nan), (VALUES, math.inf)],
)
def test_what_cannot_be_handed_in_is_refused(form: AnswerForm, answer: str | float) -> None:
    with pytest.raises(InputError, match=f"{form.file}"):
        list(form.lines([answer]))
