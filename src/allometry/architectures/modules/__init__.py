"""Building blocks of the architectures' torch modules; only their `model.py` and the lab import these."""
