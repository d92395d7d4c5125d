"""The report of runs that other programs logged to MLflow: which groups are better, and what cannot be known of them."""
