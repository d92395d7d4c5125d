"""Exit policies in stream form: one file each, asked exit after exit whether an example leaves.

In here: torch functions of logits, and `choose`, which makes a policy from whatever a user gives. Not in here: models,
thresholds' tuning, replay over recorded logits (records/). To add one: a frozen dataclass that follows `base.Policy`, a
line in `exits.POLICIES`, what its fields may be in `replay/fields.py`, and its replay form there with a row in
tests/replay/test_replay_agreement.py.
"""
