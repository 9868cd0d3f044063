"""Tasks with generated problems: what to ask, how answers are scored, and what repeated attempts bring."""
