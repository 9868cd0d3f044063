"""Slurm: the executor on the submitting side, the task on the nodes, and the queue that both look at."""
