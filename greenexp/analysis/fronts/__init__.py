"""Score against the cost of an answer: Pareto fronts, their hypervolume, what a share of the trials attains."""
