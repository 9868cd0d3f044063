"""From a fit to a decision: how large, how many tokens, and what is not known about it."""
