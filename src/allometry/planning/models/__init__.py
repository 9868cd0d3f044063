"""Public models: read from their configuration, and counted."""

from allometry.planning.models.families import FAMILIES, PublicModel, model_of, read_model

__all__ = ["FAMILIES", "PublicModel", "model_of", "read_model"]
