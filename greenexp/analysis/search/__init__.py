"""How far a search has come, what mattered in its space, what more of it would gain, and what it cost."""
