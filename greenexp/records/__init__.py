"""Plain data that every room may see: trials, epochs, budget axes, tables.

numpy and pandas at most; no torch, no Ray, no MLflow. To add a field: add it here, then to the journal's round trip
test. Import from the submodules (`greenexp.records.trial`, `.epoch`, `.axes`, `.decision`, `.tables`).
"""
