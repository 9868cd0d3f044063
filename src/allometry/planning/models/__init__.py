"""Public models: read from their configuration, and counted."""

from allometry.planning.models.counting import (
    FlopsCount,
    ModelCounts,
    TrainingCounts,
    count_file,
    count_model,
    count_recipe,
    describe_counts,
    flops_per_token,
)
from allometry.planning.models.families import FAMILIES, PublicModel, model_of, read_model

__all__ = [
    "FAMILIES",
    "FlopsCount",
    "ModelCounts",
    "PublicModel",
    "TrainingCounts",
    "count_file",
    "count_model",
    "count_recipe",
    "describe_counts",
    "flops_per_token",
    "model_of",
    "read_model",
]
