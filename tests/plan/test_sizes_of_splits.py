"""What a session records of the data: each split with its number of examples."""

from __future__ import annotations

from made_settings import made_settings

from greenexp.plan.data import data_facts, prepare_data


def test_the_sizes_of_all_splits_are_recorded_once_for_each_data_set() -> None:
    task = {"name": "clauses", "train": 60, "dev": 24, "test": 40}
    every = [made_settings(task=task), made_settings(task=task), made_settings(task={**task, "train": 80})]
    found = [facts["rows"] for facts in data_facts(every, prepare_data).values()]
    assert found == [{"train": 60, "dev": 24, "test": 40}, {"train": 80, "dev": 24, "test": 40}]
