"""State-space language model: Mamba-2 blocks, scanned in chunks by matrix products."""
