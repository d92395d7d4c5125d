"""What a sweep's tables say as they stand: metric, configurations, what was chosen, what early stopping saved."""
