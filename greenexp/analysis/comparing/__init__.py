"""Whether one group of scores is better than another: at a budget, over seeds, pair by pair."""
