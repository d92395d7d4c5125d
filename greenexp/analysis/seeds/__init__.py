"""How much of a difference is due to the seed: variance by source, and how many seeds a difference takes."""
