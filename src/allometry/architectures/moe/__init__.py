"""Mixture of experts: a decoder whose feed-forward layers are routed, no token dropped."""
