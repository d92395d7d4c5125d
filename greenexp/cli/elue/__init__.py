"""Commands about ELUE: scores against a named baseline, boards, and submissions, one file each."""
