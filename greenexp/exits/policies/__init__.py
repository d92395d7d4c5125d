"""Exit policies in stream form: one file each, asked exit after exit whether an example leaves.

In here: torch functions of logits. Not in here: models, thresholds' tuning, replay over recorded logits (records/).
To add one: a frozen dataclass that follows `base.Policy`, a line in `exits.POLICIES`, a row in tests/exits.
"""
