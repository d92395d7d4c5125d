"""The report of runs that other programs logged to MLflow: which groups are better, and what is not known of them."""
