"""What was measured: one run, a table of runs, a study folder, and readers of other people's tables."""
