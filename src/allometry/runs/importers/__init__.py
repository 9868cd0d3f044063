"""Readers of other people's tables and logs: each maps to canonical columns and says how it did."""
