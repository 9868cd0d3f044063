"""Forecasts stated before the run, in a register that only grows, and scored after it."""
