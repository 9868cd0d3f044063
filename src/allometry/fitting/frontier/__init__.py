"""The compute-optimal frontier without a law: approach 1 (envelope) and approach 2 (IsoFLOP profiles)."""
