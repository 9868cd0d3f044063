"""Laws judged by forecasting held-out larger runs, and recipes by how much compute one saves."""
