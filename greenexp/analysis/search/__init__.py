"""The search space of a sweep: which of its bounds were reached, and which searched fields matter."""
