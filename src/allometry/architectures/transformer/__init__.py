"""Decoder-only transformer: rotary positions, pre-LayerNorm, squared ReLU, no biases."""
