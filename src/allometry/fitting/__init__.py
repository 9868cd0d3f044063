"""From runs to a fit: solve, uncertainty, checks."""
