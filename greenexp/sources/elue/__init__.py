"""What ELUE's score is taken of: lines from sweeps, tables and papers, and submissions as they were handed in."""
