"""Calibration: a temperature per exit from recorded logits, and how well confidence then agrees with accuracy.

`temperature` fits one, `reliability` bins confidences, `tables` does both for every exit of a record. numpy and pandas
alone. Not in here: exit policies (replay), figures, models. To add a measure of calibration: a function in
`reliability`, a column in `tables`, a row in tests/replay/test_calibration_tables.py.
"""

from greenexp.replay.calibration.reliability import ece
from greenexp.replay.calibration.tables import calibration_table, reliability_tables, temperatures
from greenexp.replay.calibration.temperature import T_MAX, T_MIN, Temperature, fit_temperature

__all__ = [
    "T_MAX",
    "T_MIN",
    "Temperature",
    "calibration_table",
    "ece",
    "fit_temperature",
    "reliability_tables",
    "temperatures",
]
