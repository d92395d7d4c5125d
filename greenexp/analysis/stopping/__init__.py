"""Schedulers run over recorded full curves: which score they would have found, and what they would have saved."""
