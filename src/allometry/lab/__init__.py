"""Trains small models; with `architectures.*.model` the only place that imports torch."""
