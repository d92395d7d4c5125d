"""The best score of a search against what the search cost: estimators, bands, bounds under early stopping."""
