"""ELUE's submissions: operating points of a trained model as files, its `model.py`, and the price of a foreign one.

`counted.py` runs in a process of its own, started by `trusted.py`, and imports nothing of greenexp.
"""
